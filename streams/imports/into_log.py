"""An import into a project's Kafka: what its numbers have already is asked of the worker, the rest is
sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from schemas.refused import IMPORT, read_refused
from streams.imports.batches import Advance
from streams.imports.comparison import Comparison, compare
from streams.imports.failed_rows import OpenFailures
from streams.imports.known_events import Known, KnownInLog, NothingKnown
from streams.imports.run import Import, Outcome
from streams.kafka.publisher import Publisher
from streams.kafka.topics import log_extent
from streams.local.worker_process import find_worker
from streams.mapping.language import MappingRules
from streams.project import Project
from streams.queries.failed_events import dismiss, failed_with_dismissal
from streams.queries.wait import wait_until_read
from streams.queries.warehouse_access import answering, asking

FAILED_AT_A_TIME = 20_000
READ_SECONDS = 60.0


def import_files(
    project: Project, rules: MappingRules, paths: Mapping[str, Sequence[Path]], advance: Advance
) -> Outcome:
    """Import files. Returns once Kafka has all of it, with acknowledgement of every in-sync replica.

    Idempotent: run again after an error, it sends what is missing. Raises BatonError when no worker can say
    what
    the log has, and when Kafka does not take an event.
    """
    importing = Import(rules, paths, advance)
    with Publisher(project) as publisher:  # Kafka is there, with its topics, before the files are read
        importing.look()
        with known_events(project, rules.source, advance) as known:
            failures = OpenFailures(rules.source, open_failures(project, known))
            out = importing.send(publisher, known, failures)
    if out.settled:
        dismiss(project, out.settled, f"settled: imported again from {rules.source}")
    out.is_read = _is_read(project, advance)
    return out


def _is_read(project: Project, advance: Advance) -> bool:
    """Whether the numbers have it: the worker gets some time for that. Kafka has it in any case."""
    if find_worker(project.numbers) is None:
        return False
    try:
        wait_until_read(project, _of_worker(advance), READ_SECONDS)
        return True
    except BatonError:
        return False


def _of_worker(advance: Advance) -> Callable[[int, int], None]:
    return lambda done, total: advance(done / total if total else 1.0, "the worker reads the log")


def look_at_files(
    project: Project, rules: MappingRules, paths: Mapping[str, Sequence[Path]], advance: Advance
) -> Outcome:
    """What an import would do, and nothing sent. Without a running worker the log is not asked."""
    importing = Import(rules, paths, advance)
    if find_worker(project.numbers) is None:
        return importing.look()
    with answering(project) as answer, KnownInLog(answer, rules.source) as known:
        return importing.look(known)


def compare_with_log(
    project: Project, rules: MappingRules, paths: Mapping[str, Sequence[Path]], advance: Advance
) -> Comparison:
    """What the files have and the log lacks, and the reverse."""
    with answering(project) as answer:
        return compare(rules, paths, answer, advance)


@contextmanager
def known_events(project: Project, source: str, advance: Advance) -> Iterator[Known]:
    """What the log has, once the worker of numbers has read it to its end. An empty log needs no worker."""
    if not any(end > begin for begin, end in log_extent(project, CATALOGUE.fact_topics).values()):
        yield NothingKnown()
        return
    if find_worker(project.numbers) is None:
        raise BatonError(
            "No worker can say what the log has already",
            where=str(project.home),
            why="an import sends only what is new or changed, and the log is not empty",
            next_command="baton up   (then the same import)",
            exit_code=ExitCode.UNREACHABLE,
        )
    wait_until_read(project, _of_worker(advance))
    with answering(project) as answer, KnownInLog(answer, source) as known:
        yield known


def open_failures(project: Project, known: Known) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, what it says) of the rows of imports that failed, and that nobody has dismissed."""
    if isinstance(known, NothingKnown):
        return
    failed = failed_with_dismissal(project, f"stage = {sql_literal(IMPORT)}")
    with asking(project) as ask:
        last = ""
        while True:
            _, rows = ask(
                f"{failed} select place, value from with_dismissal where dismissed_because is null"
                f" and place > {sql_literal(last)} order by place limit {FAILED_AT_A_TIME}"
            )
            for place, value in rows:
                said = read_refused(bytes(value))
                if said is not None:
                    yield place, said
            if len(rows) < FAILED_AT_A_TIME:
                return
            last = rows[-1][0]


def as_json(out: Outcome) -> dict[str, Any]:
    """The outcome for --json; counts by event type."""
    return {
        "rows": out.rows,
        "left_out": out.left_out,
        "by_event": {
            name: {
                "events": out.events[name],
                "new": out.new[name],
                "revised": out.revised[name],
                "unchanged": out.unchanged[name],
                "copies": out.copies[name],
                "not_meant": out.not_meant[name],
                "failed": out.failed[name],
            }
            for name in sorted({*out.events, *out.not_meant, *(name for name in out.failed if name)})
        },
        "stand_ins": dict(sorted(out.stand_ins.items())),
        "failed": out.failed.total(),
        "failed_kept": out.kept,
        "failed_settled": len(out.settled),
        "failed_rows": [
            {"file": row.file, "line": row.line, "event": row.event_type, "column": row.column,
             "value": row.value, "reason": row.reason, "row": row.text}
            for row in out.failed_rows
        ],
        "examples": json.loads(json.dumps(out.shown, default=str)),
    }  # fmt: skip
