"""The demo: a simulated quarter of a company, through a real Kafka, in its own folder.

The folder is emptied at the start and kept at the end, so that its numbers can still be queried. The as-of
of the views is pinned to the end of the story: the same seed gives the same numbers.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from streams.kafka.publisher import Publisher
from streams.kafka.topics import ensure_topics, log_extent
from streams.local.broker import start_broker, stop_broker
from streams.local.worker_process import find_worker, start_workers, stop_workers
from streams.project import Project
from streams.queries.wait import Advance, wait_until_reacted, wait_until_read
from streams.queries.warehouse_access import ask_warehouse, open_warehouse
from streams.simulator import simulate

DEMO_FOLDER = ".baton-demo"
# What the demo's proposal changes in the packaged playbook.
PROPOSED = {
    "employees_at_least = 20": "employees_at_least = 60",
    'attribute = "fit_score"\nat_least = 20': 'attribute = "fit_score"\nat_least = 40',
    'within = "2 hours"\nclock = "business"': 'within = "1 hour"\nclock = "business"',
}

# Alerts of the story's last day reach a file in the demo's folder.
RECEIVER = """[[receiver]]
id = "demo-file"
kind = "stdout"
path = "alerts.txt"
rules = ["answer_past_due"]
"""
NOTIFIED_SECONDS = 30.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class DemoRun:
    """What a demo did: its project, the story's end, records in the log, and seconds by step."""

    project: Project
    as_of: datetime
    records: int
    seconds: dict[str, float]


def in_use(project: Project) -> str:
    """Why somebody may miss an earlier demo of this folder; "" when it is as its own run left it."""
    demo = replace(project, home=project.cwd / DEMO_FOLDER)
    if any(find_worker(files) for files in demo.workers):
        return "its workers are running"
    try:
        left = int(_records_file(demo).read_text())
        return "something was published or signed there" if _records_read(demo) > left else ""
    except (FileNotFoundError, BatonError):  # it never came to its end, or cannot be read
        return ""


def prepare(project: Project) -> Project:
    """The demo's own project, emptied. Refuses a Kafka that already holds other events."""
    demo = replace(project, home=project.cwd / DEMO_FOLDER)
    stop_workers(demo)
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
            why="BATON_KAFKA points at it, and simulated leads would mix with yours",
            next_command="unset BATON_KAFKA   (the demo then starts its own Kafka)",
            exit_code=ExitCode.CONFIGURATION,
        )
    shutil.rmtree(demo.home, ignore_errors=True)
    demo.make_folders()
    marker.write_text(str(project.kafka))
    (demo.home / "receivers.toml").write_text(RECEIVER)
    return replace(demo, receivers=demo.home / "receivers.toml")


def run(demo: Project, *, seed: int, leads: int, report: Report, step: Callable[[str], Advance]) -> DemoRun:
    """Start everything, publish a story while the worker reads it, and wait until it has caught up.

    step: makes what shows how far a step is, from its name; publishing and reading count different things.
    """
    seconds: dict[str, float] = {}

    def timed(name: str, since: float) -> float:
        seconds[name] = round(time.perf_counter() - since, 1)
        return time.perf_counter()

    at = time.perf_counter()
    report("Simulating a company's quarter ...")
    story = simulate(seed, leads, demo.home / "story")
    at = timed("story", at)
    if not demo.kafka:
        start_broker(demo, report)
    ensure_topics(demo)
    _pin(demo, story.as_of)
    at = timed("kafka", at)
    start_workers(demo, report)
    at = timed("workers", at)
    report("Publishing the events; the workers read them ...")
    _publish(demo, demo.home / "story" / "events.jsonl", step("publishing"))
    at = timed("publish", at)
    wait_until_read(demo, step("reading"))
    at = timed("catch up", at)
    report("Measuring handoffs and raising alerts ...")
    reacted = step("measuring")
    wait_until_reacted(demo)
    wait_until_notified(demo)
    records = wait_until_read(demo)
    reacted(1, 1)
    timed("react", at)
    _records_file(demo).write_text(str(_records_read(demo)))
    return DemoRun(demo, story.as_of, records, seconds)


def wait_until_notified(demo: Project) -> None:
    """Wait until an alert of the last day has reached the receiver, and its end too; not longer than some
    seconds, for there may be none."""
    deadline = time.monotonic() + NOTIFIED_SECONDS
    ended = "select count(*) from funnel.alert_notice where step = 'ended' and not is_undelivered"
    while time.monotonic() < deadline and ask_warehouse(demo, ended)[1] == [(0,)]:
        time.sleep(0.3)


def stricter(text: str) -> str:
    """The playbook's text with the changes that the demo proposes."""
    for now, then in PROPOSED.items():
        text = text.replace(now, then)
    return text


def propose(demo: Project) -> Path:
    """A stricter playbook to compare with the one in force: a file in the demo's folder."""
    file = demo.home / "proposed.toml"
    file.write_text(stricter(demo.playbook_file.read_text(encoding="utf-8")), encoding="utf-8")
    return file


def tidy(demo: Project) -> None:
    """Stop what the demo started. Its folder stays."""
    stop_workers(demo)
    stop_broker(demo)


def _records_file(demo: Project) -> Path:
    """How many records the demo itself has written."""
    return demo.home / "demo-records"


def _records_read(demo: Project) -> int:
    """Without alerts, which the agents write when they come to it."""
    asked = "select sum(records)::bigint from warehouse.next_offset where topic <> 'funnel.alerts'"
    return int(ask_warehouse(demo, asked)[1][0][0] or 0)


def _pin(demo: Project, as_of: datetime) -> None:
    demo.pinned_as_of_file.write_text(as_of.isoformat())
    open_warehouse(demo).close()  # pinned before the worker starts


def _publish(demo: Project, story: Path, advance: Advance) -> None:
    lines = story.read_text(encoding="utf-8").splitlines()
    with Publisher(demo) as publisher:
        for number, line in enumerate(lines, 1):
            publisher.publish(json.loads(line))
            if number % 500 == 0:
                advance(number, len(lines))
        publisher.flush()
    advance(len(lines), len(lines))
