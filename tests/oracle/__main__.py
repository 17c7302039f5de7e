"""`python -m tests.oracle`: every view over a log of events, held against the oracle.

What live and replay share, `baton verify` cannot see. Here the numbers are computed a second time from the
events, in plain Python that shares nothing with the views.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from projections.playbook import read_playbook
from schemas.codec import encode
from schemas.copies import Copies
from schemas.errors import BatonError, ExitCode
from schemas.json_form import json_form
from schemas.validation import ContractViolation, EventReader
from streams.cli.main import main
from streams.cli.options import instant
from streams.cli.output import json_option, print_json, print_rows, progress, say
from streams.kafka.json_lines import parse_line, read_lines
from streams.project import Project
from tests import oracle
from tests.given import given, in_memory
from tests.oracle.comparison import MOST_EXAMPLES, Comparison, compare

_EVENTS_AT_A_TIME = 20_000
_MOST_REFUSED = 5


@dataclass
class ReadEvents:
    """The events of a file that keep the contract: as they travel, and as the oracle reads them."""

    values: list[bytes] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    last_recorded_at: datetime | None = None


@click.command(name="oracle")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--playbook", type=click.Path(path_type=Path), help="Default: that of this folder, as for baton."
)
@click.option("--as-of", metavar="INSTANT", help="Default: when the last event of the log was recorded.")
@click.option(
    "--view", "views", multiple=True, type=click.Choice(list(oracle.KEYS)), help="Only these views."
)
@json_option
def second_opinion(
    file: Path, playbook: Path | None, as_of: str | None, views: Sequence[str], as_json: bool
) -> None:
    """Compare every view over a log with the oracle: the same numbers in plain Python.

    FILE has a line of JSON for each event, as `baton export` writes it. It suits logs of up to a few hundred
    thousand events. One playbook applies to the whole log; signatures in it do not count. Exit code 5 when a
    row differs.

    \b
    Example:
      baton export events.jsonl && python -m tests.oracle events.jsonl
    """
    path = playbook or Project.here().playbook_file
    with progress() as bar:
        events = _read(file)
        at = instant(as_of, "--as-of") if as_of else events.last_recorded_at
        if at is None:
            raise _nothing_to_compare(file, events)
        chosen = views or list(oracle.KEYS)
        steps = bar.track(_comparisons(events, path, at, chosen), len(chosen), description="comparing")
        comparisons = list(steps)
    if as_json:
        print_json(_as_dict(events, at, comparisons))
    else:
        _show(events, at, comparisons)
    if any(c.differences for c in comparisons):
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _read(file: Path) -> ReadEvents:
    """Both forms of every event, from one reading. recorded_at, left out, is when it occurred."""
    read, copies, events = EventReader().read, Copies(), ReadEvents()
    try:
        stream = file.open("rb")
    except OSError as error:
        raise BatonError(
            "The log cannot be read",
            where=str(file),
            why=error.strerror or str(error),
            next_command="baton export events.jsonl",
        ) from error
    with stream:
        for number, line in read_lines(stream):
            if not line.strip():
                continue
            try:
                said = parse_line(line)
                event, record = read(said)
                copies.note(event, record, number)
            except ContractViolation as violation:
                events.refused.append(f"{file}:{number}: {violation.field}: {violation.why}")
                continue
            if said.get("recorded_at") is None:
                record["recorded_at"] = record["occurred_at"]
            events.values.append(encode(event, record))
            events.objects.append(json_form(event, record))
            recorded_at = record["recorded_at"]
            events.last_recorded_at = max(events.last_recorded_at or recorded_at, recorded_at)
    return events


def _comparisons(
    events: ReadEvents, playbook: Path, as_of: datetime, views: Sequence[str]
) -> Iterator[Comparison]:
    log, rules = oracle.Log.from_events(events.objects), oracle.Playbook(playbook)
    with in_memory(read_playbook(playbook)) as warehouse:
        given(warehouse, events.values, cuts=range(0, len(events.values), _EVENTS_AT_A_TIME))
        warehouse.pin_as_of(as_of)
        for view in views:
            expected = oracle.rows(view, log, rules, as_of)
            yield compare(warehouse.connection.execute, view, oracle.KEYS[view], expected)


def _nothing_to_compare(file: Path, events: ReadEvents) -> BatonError:
    refused = f"{len(events.refused):,} lines break the contract" if events.refused else "it is empty"
    return BatonError(
        "The log has no events",
        where=str(file),
        why=refused,
        next_command=f"baton publish --dry-run {file}   (names each line and what is wrong with it)",
        exit_code=ExitCode.DATA_PROBLEMS,
    )


def _as_dict(events: ReadEvents, as_of: datetime, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    return {
        "as_of": as_of.isoformat(),
        "events": len(events.values),
        "refused": events.refused,
        "equal": not any(c.differences for c in comparisons),
        "views": [
            {
                "view": c.view,
                "rows": c.rows,
                "differing": len(c.differences),
                "examples": [str(difference) for difference in c.differences[:MOST_EXAMPLES]],
            }
            for c in comparisons
        ],
    }


def _show(events: ReadEvents, as_of: datetime, comparisons: Sequence[Comparison]) -> None:
    for line in events.refused[:_MOST_REFUSED]:
        say(line)
    differing = [c for c in comparisons if c.differences]
    print_rows(("view", "rows", "differing"), [(c.view, c.rows, len(c.differences)) for c in comparisons])
    for comparison in differing:
        for difference in comparison.differences[:MOST_EXAMPLES]:
            print(f"{comparison.view}: {difference}")
    refused = f", {len(events.refused):,} lines refused" if events.refused else ""
    verdict = f"{len(differing)} of {len(comparisons)} views differ" if differing else "equal"
    print(f"oracle: {verdict} ({len(events.values):,} events{refused}, as of {as_of.isoformat()})")


if __name__ == "__main__":
    main(second_opinion)
