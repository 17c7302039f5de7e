"""Writes a simulation: events.jsonl in order of arrival."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from schemas.errors import BatonError
from streams.simulator.clock import datetime_of, iso, microseconds_of
from streams.simulator.rules import default_playbook
from streams.simulator.simulation import DAYS, DUPLICATES, LATE, START, Arrivals, Plan, chapters
from warehouse.whole_file import whole_file

EVENTS_FILE = "events.jsonl"

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True)
class Summary:
    """What was written, and where.

    as_of is the instant at which the story ends: the as-of for its numbers. events = distinct + duplicates.
    """

    out: str
    seed: int
    leads: int
    as_of: datetime
    events: int
    distinct: int
    duplicates: int
    by_type: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`; as_of in ISO 8601."""
        return {**asdict(self), "as_of": iso(microseconds_of(self.as_of))}


def simulate(
    seed: int,
    leads: int,
    out: Path,
    *,
    start: date = START,
    days: int = DAYS,
    duplicates: float = DUPLICATES,
    late: float = LATE,
    playbook: Path | None = None,
    advance: Callable[[int], object] | None = None,
) -> Summary:
    """Write events.jsonl into the folder `out`, in place of an earlier one.

    The same arguments give the same bytes. advance(n) is called as leads are simulated. Raises BatonError for
    arguments that make no sense, a playbook that cannot be read and a folder that cannot be written.
    """
    plan = Plan(seed, leads, start, days, duplicates, late, playbook or default_playbook())
    try:
        return _write(plan, Path(out), advance or (lambda count: None))
    except OSError as error:
        raise BatonError(
            "The simulation cannot be written",
            where=str(error.filename or out),
            why=error.strerror or str(error),
            next_command="baton simulate --out FOLDER   (a folder you may write to)",
        ) from error


def _write(plan: Plan, out: Path, advance: Callable[[int], object]) -> Summary:
    out.mkdir(parents=True, exist_ok=True)
    arrivals = Arrivals(compact)
    for chapter in chapters(plan):
        arrivals.add(chapter)
        advance(int(chapter.is_lead))
    _write_lines(out / EVENTS_FILE, arrivals.in_order())
    distinct, copies = arrivals.distinct.total(), arrivals.copies.total()
    return Summary(
        out=str(out),
        seed=plan.seed,
        leads=plan.leads,
        as_of=datetime_of(plan.as_of),
        events=distinct + copies,
        distinct=distinct,
        duplicates=copies,
        by_type={type_: arrivals.distinct[type_] for type_ in sorted(arrivals.distinct)},
    )


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with whole_file(path, "baton simulate --out FOLDER") as partial:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)
