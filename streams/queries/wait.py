"""Waiting until a worker is idle: everything is read, measured, and processed by the agents."""

from __future__ import annotations

import time
from collections.abc import Callable

from schemas.catalogue import CATALOGUE, DERIVED_TOPIC
from schemas.errors import BatonError, quoted
from streams.kafka.topics import (
    FORWARDED,
    REACTION_GROUP,
    committed_offsets,
    holds_records,
    log_extent,
)
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse
from streams.worker_files import WorkerFiles
from warehouse.measurement import waiting_sql
from warehouse.read_models import unread_sql

WAIT_SECONDS = 120.0

Advance = Callable[[int, int], None]


def wait_until_read(
    project: Project,
    advance: Advance = lambda done, total: None,
    seconds: float = WAIT_SECONDS,
    files: WorkerFiles | None = None,
) -> int:
    """Wait until the numbers stand at what is now the end of the log; the records that were read.

    `advance` is given offsets: those passed, and all. `files`: those of another worker than numbers. Raises
    BatonError when it takes longer than `seconds`.
    """
    extent = log_extent(project, CATALOGUE.fact_topics)
    total = sum(end - begin for begin, end in extent.values())
    deadline = time.monotonic() + seconds
    while True:
        _, rows = ask_warehouse(
            project,
            "select topic, kafka_partition, next_offset, records, "
            f"({unread_sql()}) as unread from warehouse.next_offset",
            files,
        )
        reached = {(topic, partition): at for topic, partition, at, *_ in rows}
        behind = sum(max(0, end - max(begin, reached.get(p, 0))) for p, (begin, end) in extent.items())
        advance(total - behind, total)
        if behind == 0 and not any(unread for *_, unread in rows):
            return sum(records for *_, records, _ in rows)
        if time.monotonic() > deadline:
            raise _stuck(project, f"{behind} of {total} offsets are still to be read after {seconds:.0f} s")
        time.sleep(0.2)


def wait_until_reacted(project: Project, seconds: float = WAIT_SECONDS) -> None:
    """Wait until the reactions have read the log, every handoff is measured, and the agents have read all
    measurements.

    The alerts they raised are then in Kafka; the warehouse may still have to read them.
    """
    deadline = time.monotonic() + seconds
    wait_until_read(project, seconds=seconds, files=project.reactions)
    while True:
        _, rows = ask_warehouse(project, waiting_sql(), project.reactions)
        if not any(rows[0]):
            # Committed offsets first, then the ends: these include what the first agent forwarded before.
            read = committed_offsets(project, REACTION_GROUP)
            extent = log_extent(project, (DERIVED_TOPIC, *FORWARDED))
            left = {place: (max(begin, read.get(place, 0)), end) for place, (begin, end) in extent.items()}
            if not holds_records(project, left):
                return
        if time.monotonic() > deadline:
            unmeasured, unsent, unread = rows[0]
            why = (
                f"after {seconds:.0f} s, {unmeasured} measurements and {unsent} messages are waiting, and"
                f" {unread} events are not in the read models"
            )
            raise _stuck(project, why)
        time.sleep(0.5)


def _stuck(project: Project, why: str) -> BatonError:
    return BatonError(
        "The worker has not caught up",
        where=str(project.logs_dir),
        why=why,
        next_command=f"BATON_HOME={quoted(project.home)} baton status",
    )
