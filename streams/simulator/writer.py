"""Writes a simulation: events.jsonl in arrival order, and beside it what is true of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from schemas.errors import BatonError
from streams.simulator.clock import iso
from streams.simulator.rules import default_playbook, read_rules
from streams.simulator.simulation import DAYS, DUPLICATES, LATE, START, Arrivals, Plan, chapters
from streams.simulator.truths import KEYS, Row, all_truths

EVENTS_FILE = "events.jsonl"
TRUTH_FILE = "truth.json"
TRUTH_FOLDER = "truth"

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True)
class Summary:
    """What was written, and where. events = distinct + duplicates; as_of is an ISO-8601 instant."""

    out: str
    seed: int
    leads: int
    as_of: str
    events: int
    distinct: int
    duplicates: int
    by_type: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return asdict(self)


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
    """Write a simulation into the folder `out`, over what an earlier one left there.

    The same arguments give the same bytes. advance(n) is called as leads are told. Raises BatonError for
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
            next_command="baton simulate --out with a folder you may write to",
        ) from error


def _write(plan: Plan, out: Path, advance: Callable[[int], object]) -> Summary:
    """Truth first and the events last, so that a folder with events.jsonl is complete."""
    folder = out / TRUTH_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (out / EVENTS_FILE).unlink(missing_ok=True)
    arrivals = Arrivals(compact)
    with ExitStack() as stack:
        files = {
            view: stack.enter_context((folder / f"{view}.jsonl").open("w", encoding="utf-8", newline="\n"))
            for view in KEYS
        }
        truths = all_truths(read_rules(plan.playbook), plan.as_of)
        for chapter in chapters(plan):
            arrivals.add(chapter)
            for truth in truths:
                _write_rows(files, truth.add(chapter))
            advance(chapter.leads)
        for truth in truths:
            _write_rows(files, truth.finish())
    summary = _summary(plan, out, arrivals)
    stated = summary.as_dict()
    counts = {name: stated.pop(name) for name in ("events", "distinct", "duplicates", "by_type")}
    del stated["out"]
    _write_lines(out / TRUTH_FILE, [json.dumps({**stated, "counts": counts}, indent=2)])
    _write_lines(out / EVENTS_FILE, arrivals.in_order())
    return summary


def _write_rows(files: Mapping[str, TextIO], rows: Iterable[tuple[str, Row]]) -> None:
    for view, row in rows:
        files[view].write(compact(row) + "\n")


def _summary(plan: Plan, out: Path, arrivals: Arrivals) -> Summary:
    distinct, copies = arrivals.distinct.total(), arrivals.copies.total()
    return Summary(
        out=str(out),
        seed=plan.seed,
        leads=plan.leads,
        as_of=iso(plan.as_of),
        events=distinct + copies,
        distinct=distinct,
        duplicates=copies,
        by_type={type_: arrivals.distinct[type_] for type_ in sorted(arrivals.distinct)},
    )


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines beside the path and move them there, so that a reader never sees half a file."""
    beside = path.with_name(path.name + ".partial")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)
    os.replace(beside, path)
