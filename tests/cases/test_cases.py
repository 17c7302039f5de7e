"""Situations from practice, as data: events, questions and the right answers. Adding a case is adding a file.

A case is tests/cases/KIND/NAME.toml: `title`, `because` (why the answer is right), `as_of`, `events` (lines
of JSON in the form of `baton publish`; recorded_at defaults to occurred_at, source to crm), optionally
`playbook` (replacements in the packaged playbook's text, as pairs) and `playbook_more` (text appended to
it), and one or more [[ask]] with `sql` and `rows` (JSON). Events are read in the order given and in
reverse, with equal answers: one from read models, as users have it, the other from the facts alone.
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import DEFAULT_PLAYBOOK, Playbook, parse_playbook
from schemas.json_form import json_form
from schemas.validation import read_event
from tests import oracle
from tests.given import as_bytes, asked_anew, emptied, given, in_memory
from tests.oracle.comparison import compare
from warehouse.warehouse import Warehouse

FOLDER = Path(__file__).parent
VIEW = re.compile(r"\bfunnel\.(\w+)")
FILES = sorted(FOLDER.rglob("*.toml"))


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "reversed"])
@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(FOLDER).with_suffix("")) for file in FILES])
def test_the_answers_are_right(file: Path, is_reversed: bool) -> None:
    case = tomllib.loads(file.read_text())
    values = as_bytes(_events(case["events"]))

    warehouse = _empty(_playbook(case, file))
    given(warehouse, values[::-1] if is_reversed else values, cuts=range(1, len(values)))
    if not is_reversed:
        warehouse.pin_as_of(case["as_of"])
    for question in case["ask"]:
        if is_reversed:
            found = asked_anew(warehouse, case["as_of"], question["sql"])
            columns, rows = [column[0] for column in found.description], found.fetchall()
        else:
            columns, rows = warehouse.ask(question["sql"])
        answer = [dict(zip(columns, map(plain, row), strict=True)) for row in rows]
        assert answer == json.loads(question["rows"], parse_float=float), case["because"]


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(FOLDER).with_suffix("")) for file in FILES])
def test_the_oracle_says_the_same(file: Path, tmp_path: Path) -> None:
    """Of every view that the case asks, and that the oracle has."""
    case = tomllib.loads(file.read_text())
    events = [json_form(*read_event(event)) for event in _events(case["events"])]
    playbook, as_of = _playbook(case, file), case["as_of"]
    (tmp_path / "playbook.toml").write_text(playbook.text)
    log, rules = oracle.Log.from_events(events), oracle.Playbook(tmp_path / "playbook.toml")

    warehouse = _empty(playbook)
    given(warehouse, as_bytes(events))
    asked = {view for question in case["ask"] for view in VIEW.findall(question["sql"])}
    for view in sorted(asked & oracle.KEYS.keys()):
        expected = oracle.rows(view, log, rules, as_of)
        found = compare(partial(asked_anew, warehouse, as_of), view, oracle.KEYS[view], expected)
        assert not found.differences, f"{view}: {found.differences[0]}"


def _empty(playbook: Playbook) -> Warehouse:
    """An empty warehouse under this playbook. Cases that share one have it one after another."""
    warehouse = emptied(_under(playbook.text))
    warehouse.authority.store_playbooks(warehouse.connection)  # what a case has signed is undone
    return warehouse


@lru_cache(4)
def _under(playbook: str) -> Warehouse:
    return in_memory(parse_playbook(playbook))


def _events(lines: str) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in lines.splitlines() if line.strip()]
    for event in events:
        event.setdefault("source", "crm")
        event.setdefault("recorded_at", event.get("occurred_at", f"{event.get('occurred_on')}T00:00:00Z"))
    return events


def _playbook(case: dict[str, Any], file: Path) -> Playbook:
    text = DEFAULT_PLAYBOOK.read_text(encoding="utf-8")
    for old, new in case.get("playbook", []):
        assert text.count(old) == 1, f"the packaged playbook has {text.count(old)} times {old!r}"
        text = text.replace(old, new)
    return parse_playbook(text + case.get("playbook_more", ""), str(file))


def plain(value: Any) -> Any:
    """Values as JSON holds them: instants in UTC with Z, money as text, lists and structs of such."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value
