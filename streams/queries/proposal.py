"""A proposal made from a playbook by changing thresholds and deadlines: the file stays as its authors wrote
it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from projections.changes.sentences import team_name
from projections.playbook import Playbook, parse_playbook
from schemas.errors import BatonError, ExitCode

_HEADER = re.compile(r"^\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}")
_SPAN = re.compile(r"[1-9]\d{0,4} (minutes?|hours?|days?)")
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,6})?")
_OWED = {
    "answer": "{by} answers {other} within",
    "first_attempt": "{by} first tries to reach the buyer within",
    "attempts": "{by} makes all attempts within",
    "acknowledge_return": "{by} answers a return of {other} within",
}


@dataclass(frozen=True)
class Knob:
    """A value of a playbook that a proposal may change. id: block, its number among those of its name, and
    key.

    value: as it stands; is_span: a length of time (2 hours), else a number. group: obligations or the
    definition.
    """

    id: str
    label: str
    value: str
    is_span: bool
    group: str


def knobs(playbook: Playbook) -> list[Knob]:
    """Every value of the playbook that can be changed here, in the order of the file."""
    content = tomllib.loads(playbook.text)
    return [knob for knob in (*_of_slas(content), *_of_definition(content)) if _place(playbook.text, knob.id)]


def proposal(playbook: Playbook, values: Mapping[str, str]) -> Playbook:
    """The playbook with other values, by id of their knob. Raises BatonError for one that is none, and for a
    playbook that these make invalid."""
    text = playbook.text
    wanted = tomllib.loads(text)
    for knob in knobs(playbook):
        value = values.get(knob.id, knob.value).strip()
        if value == knob.value:
            continue
        if not (_SPAN if knob.is_span else _NUMBER).fullmatch(value):
            example = "90 minutes, 4 hours, 14 days" if knob.is_span else "a number"
            raise BatonError(
                "This value cannot be proposed",
                where=f"{knob.label}: {value[:40]}",
                why=f"it is not {'a length of time' if knob.is_span else 'a number'}: {example}",
                next_command="baton playbook check new.toml   (a file can change everything else)",
                exit_code=ExitCode.USAGE,
            )
        literal = f'"{value}"' if knob.is_span else value
        place = _place(text, knob.id)
        assert place is not None, "it was found before"
        start, end = place
        text = f"{text[:start]}{literal}{text[end:]}"
        _set(wanted, knob.id, tomllib.loads(f"value = {literal}")["value"])
    assert tomllib.loads(text) == wanted, "only what was asked for may change"
    return parse_playbook(text, "proposal.toml")


def _of_slas(content: Mapping[str, Any]) -> Iterator[Knob]:
    for number, sla in enumerate(content.get("sla", [])):
        is_sender = sla["owed_by"] == "sender"
        by, other = (sla["from_team"], sla["to_team"]) if is_sender else (sla["to_team"], sla["from_team"])
        label = _OWED[sla["id"]].format(by=team_name(by), other=team_name(other))
        label += f" ({'business' if sla['clock'] == 'business' else 'wall-clock'} time)"
        yield Knob(f"sla.{number}.within", label, sla["within"], True, "obligations")


def _of_definition(content: Mapping[str, Any]) -> Iterator[Knob]:
    if "employees_at_least" in content.get("icp", {}):
        at_least = str(content["icp"]["employees_at_least"])
        yield Knob(
            "icp.0.employees_at_least",
            "A company has at least this many employees",
            at_least,
            False,
            "definition",
        )
    for number, criterion in enumerate(content.get("criterion", [])):
        name = criterion["id"].replace("_", " ")
        for key, says in (
            ("at_least", f"{name}: {criterion.get('attribute', '')} is at least"),
            ("at_most", f"{name}: {criterion.get('attribute', '')} is at most"),
            ("count", f"{name}: how many"),
            ("within", f"{name}: within the last"),
        ):
            if isinstance(criterion.get(key), int | float | str):
                is_span = key == "within"
                yield Knob(f"criterion.{number}.{key}", says, str(criterion[key]), is_span, "definition")


def _place(text: str, knob_id: str) -> tuple[int, int] | None:
    """Where the literal of a value stands in the text; None when it is not on a line of its own."""
    block, number, key = knob_id.split(".")
    seen, is_inside, at = -1, False, 0
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line)
        if header:
            seen += header[1] == block
            is_inside = header[1] == block and seen == int(number)
        elif is_inside:
            found = re.match(rf'\s*{key}\s*=\s*("[^"\\]*"|[\d._]+)(?=\s*(#|$))', line)
            if found:
                return at + found.start(1), at + found.end(1)
        at += len(line)
    return None


def _set(content: dict[str, Any], knob_id: str, value: Any) -> None:
    block, number, key = knob_id.split(".")
    found = content[block]
    (found[int(number)] if isinstance(found, list) else found)[key] = value
