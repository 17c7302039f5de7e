"""The demo: a made-up quarter of a company, through a real Kafka, in a folder of its own.

The folder is emptied at the start and kept at the end, so that its numbers can be asked again. The
clock of the views is pinned to the end of the story: the same seed tells the same funnel.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from schemas.catalogue import CATALOGUE, DERIVED_TOPIC
from schemas.errors import BatonError, ExitCode
from streams.app import APP_ID, OVERDUE_BY_PAIR
from streams.kafka_local import start_broker, stop_broker
from streams.opening import open_warehouse
from streams.project import Project
from streams.publisher import Publisher
from streams.reading import ask_warehouse
from streams.simulator import simulate
from streams.topics import committed_offsets, end_offsets, ensure_topics, log_extent
from streams.worker_process import start_worker, stop_worker
from warehouse.measurement import waiting_sql

DEMO_FOLDER = ".baton-demo"
CATCH_UP_SECONDS = 120

Tell = Callable[[str], None]
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class DemoRun:
    """What a demo did: its project, the story's end, records in the log, and seconds by step."""

    project: Project
    as_of: datetime
    records: int
    seconds: dict[str, float]


def prepare(project: Project) -> Project:
    """The demo's own project, emptied. Refuses a Kafka that holds somebody else's events."""
    demo = replace(project, home=project.cwd / DEMO_FOLDER)
    stop_worker(demo)
    stop_broker(demo)
    marker = demo.home / "kafka-is-ours"
    is_ours = marker.exists() and marker.read_text() == str(project.kafka)
    if (
        project.kafka
        and not is_ours
        and any(end for _, end in log_extent(demo, CATALOGUE.fact_topics).values())
    ):
        raise BatonError(
            "The demo will not write into a Kafka that already holds events",
            where=project.kafka,
            why="BATON_KAFKA points at it, and made-up leads would mix with yours",
            next_command="unset BATON_KAFKA   (the demo then starts a Kafka of its own)",
            exit_code=ExitCode.CONFIGURATION,
        )
    shutil.rmtree(demo.home, ignore_errors=True)
    demo.make_folders()
    marker.write_text(str(project.kafka))
    return demo


def run(demo: Project, *, seed: int, leads: int, tell: Tell, advance: Advance) -> DemoRun:
    """Start everything, publish a story while the worker follows, and wait until it has caught up."""
    seconds: dict[str, float] = {}

    def timed(step: str, since: float) -> float:
        seconds[step] = round(time.perf_counter() - since, 1)
        return time.perf_counter()

    at = time.perf_counter()
    tell("Writing the story of a made-up company ...")
    simulate(seed, leads, demo.home / "story")
    as_of = datetime.fromisoformat(json.loads((demo.home / "story" / "truth.json").read_text())["as_of"])
    at = timed("story", at)
    if not demo.kafka:
        start_broker(demo, tell)
    ensure_topics(demo)
    _pin(demo, as_of)
    at = timed("kafka", at)
    start_worker(demo, tell)
    at = timed("worker", at)
    tell("Publishing it; the worker follows ...")
    _publish(demo, demo.home / "story" / "events.jsonl", advance)
    at = timed("publish", at)
    _wait_until_read(demo, advance)
    at = timed("catch up", at)
    tell("Measuring handoffs and raising alerts ...")
    _wait_until_reacted(demo)
    records = _wait_until_read(demo, advance)
    timed("react", at)
    return DemoRun(demo, as_of, records, seconds)


def tidy(demo: Project) -> None:
    """Stop what the demo started. Its folder stays."""
    stop_worker(demo)
    stop_broker(demo)


def _pin(demo: Project, as_of: datetime) -> None:
    with open_warehouse(demo) as warehouse:
        warehouse.pin_as_of(as_of)


def _publish(demo: Project, story: Path, advance: Advance) -> None:
    lines = story.read_text(encoding="utf-8").splitlines()
    with Publisher(demo) as publisher:
        for number, line in enumerate(lines, 1):
            publisher.publish(json.loads(line))
            if number % 500 == 0:
                advance(number, len(lines))
        publisher.flush()


def _wait_until_reacted(demo: Project) -> None:
    """Wait until every handoff is measured and the agents have read all that was measured."""
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline:
        _, rows = ask_warehouse(demo, waiting_sql())
        if rows == [(0, 0)]:
            ends = end_offsets(demo, (DERIVED_TOPIC, OVERDUE_BY_PAIR))
            read = committed_offsets(demo, APP_ID)
            if all(read.get(place, 0) >= end for place, end in ends.items()):
                return
        time.sleep(0.5)
    raise BatonError(
        "The reaction plane has not caught up",
        where=str(demo.logs_dir / "worker.log"),
        why=f"after {CATCH_UP_SECONDS} s, {rows[0][0]} measurements and {rows[0][1]} messages are waiting",
        next_command=f"BATON_HOME={os.path.relpath(demo.home)} baton status",
    )


def _wait_until_read(demo: Project, advance: Advance) -> int:
    """Wait until the warehouse stands at the end of the log; the number of records it has read."""
    total = sum(end - begin for begin, end in log_extent(demo, CATALOGUE.fact_topics).values())
    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline:
        _, rows = ask_warehouse(demo, "select coalesce(sum(records), 0)::bigint from warehouse.next_offset")
        advance(rows[0][0], total)
        if rows[0][0] >= total:
            return int(rows[0][0])
        time.sleep(0.2)
    raise BatonError(
        "The worker has not caught up",
        where=str(demo.logs_dir / "worker.log"),
        why=f"{rows[0][0]} of {total} records after {CATCH_UP_SECONDS} s",
        next_command=f"BATON_HOME={os.path.relpath(demo.home)} baton status",
    )
