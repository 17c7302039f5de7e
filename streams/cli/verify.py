"""`baton verify` and `baton rebuild`: check the numbers, and recompute them."""

from __future__ import annotations

import sys
import time

import click

from schemas.errors import ExitCode
from streams.cli.output import advancing, json_option, print_json, print_rows, progress, say
from streams.project import Project
from streams.queries.verification import Verification
from streams.queries.verification import verify as verify_project
from streams.queries.warehouse_access import open_existing_warehouse, open_warehouse
from streams.worker.meters import Progress as SinkProgress
from warehouse.scope import HANDOFFS


@click.command()
@json_option
def verify(as_json: bool) -> None:
    """Replay the log into an empty second warehouse and compare every table.

    Exit code 0 when every table is equal and good + failed + duplicate is the number of records in the
    log; 5 otherwise. Live and replay share the views: a second opinion on those, from the events alone, is
    `python -m tests.oracle` over what `baton export` writes (docs/guides/verification.md).

    \b
    Example:
      baton verify
    """
    project = Project.here()
    with progress() as bar:
        advance = advancing(bar, "replaying the log", then="comparing the tables")

        def replayed(reached: SinkProgress) -> None:
            advance(reached.records, reached.records + reached.waiting)

        verification = verify_project(project, replayed)
    if as_json:
        print_json(verification.as_dict())
    else:
        show(verification)
    if not verification.is_equal:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def show(verification: Verification) -> None:
    """The verdict, the record counts, and what differs."""
    counts = verification.live.record_counts
    print_rows(
        ("records in the log", "good", "failed", "duplicate"),
        [(verification.log_records, counts.good, counts.failed, counts.duplicate)],
    )
    tables = verification.as_dict()["tables"]
    shown = verification.differing or [name for name in tables if name.startswith("funnel.")]
    print_rows(
        ("table", "rows", "live", "replay"),
        [
            (n, tables[n]["rows"], _short(tables[n]["hash_live"]), _short(tables[n]["hash_replay"]))
            for n in shown
        ],
    )
    if verification.is_equal:
        print(f"verify: equal ({len(tables)} tables, as of {verification.as_of:%Y-%m-%d %H:%M} UTC)")
        return
    print("verify: NOT EQUAL")
    if verification.unread:
        places = ", ".join(f"{topic}/{partition}" for topic, partition in sorted(verification.unread))
        say(f"the log holds records in partitions that no worker has read: {places}; next: baton up")
    if not verification.differing and counts.add_up and counts == verification.replay.record_counts:
        return
    if not counts.add_up or counts.total != verification.log_records:
        say(f"the record counts do not add up: {counts}, the log holds {verification.log_records}")
    say(_advice(verification))


def _advice(verification: Verification) -> str:
    """What may help: nothing recomputes facts, and nothing replays events that Kafka no longer holds."""
    if verification.head_lost:
        places = ", ".join(
            f"{t}/{p} from {first}" for (t, p), first in sorted(verification.head_lost.items())
        )
        return (
            f"Kafka no longer holds the beginning of the log ({places}): a replay lacks those events, and the"
            " warehouse is their only copy. Keep it; nothing that reads the log again can help.\n"
            "next: baton doctor   (shows the topics' retention)"
        )
    if any("facts." in name for name in verification.differing):
        is_reactions = all(name.startswith("reactions: ") for name in verification.differing)
        files = "reactions.duckdb*" if is_reactions else "*.duckdb*"
        return (
            "the stored facts differ, which no rebuild changes; the log has every event\n"
            f"next: baton down && mkdir .baton/before && mv .baton/{files} .baton/before/ && baton up"
        )
    return "next: baton down && baton rebuild   (copy .baton first for a report; the log has every event)"


def _short(content: str) -> str:
    return content[-12:]


@click.command()
@json_option
def rebuild(as_json: bool) -> None:
    """Recompute all that is stored beside the facts, merged records and the playbooks in force, atomically.

    The workers must be stopped: one process owns each file.

    \b
    Example:
      baton down && baton rebuild
    """
    project = Project.here()
    started = time.perf_counter()
    with open_existing_warehouse(project) as warehouse:
        rows = warehouse.rebuild()
    if project.reactions.warehouse.exists():
        with open_warehouse(project, project.reactions.warehouse, scope=HANDOFFS) as reactions:
            reactions.rebuild()
    seconds = time.perf_counter() - started
    if as_json:
        print_json({"seconds": round(seconds, 3), "rows": rows})
    else:
        print_rows(("table", "rows"), rows.items())
