"""Handoffs that become due at known moments, and when Kafka holds the measurements that say so."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from schemas.catalogue import DERIVED_TOPIC
from streams.kafka.publisher import Publisher
from streams.project import Project
from streams.reactions.measurements import read_measured

# The pair of the packaged playbook whose answer is owed within elapsed time: no calendar is closed.
TEAMS = {"from_team": "sales", "to_team": "customer_success"}
ALLOWED = timedelta(hours=24)
SETTLE_SECONDS = 5.0


def offer(project: Project, count: int, seconds: float) -> dict[str, datetime]:
    """Publish so many unanswered handoffs, due one after the other in the next seconds; due_at by handoff."""
    first = datetime.now(UTC) + timedelta(seconds=2)
    run = uuid.uuid4().hex[:8]
    due = {f"due-{run}-{n}": first + timedelta(seconds=n * seconds / count) for n in range(count)}
    with Publisher(project) as publisher:
        publisher.publish_many(_offered(handoff, at - ALLOWED) for handoff, at in due.items())
    return due


def _offered(handoff: str, at: datetime) -> Mapping[str, Any]:
    return {
        "type": "HandoffOffered",
        "event_id": handoff,
        "occurred_at": at.isoformat(),
        "source": "bench",
        "handoff_id": handoff,
        "lead_id": f"lead-{handoff}",
        **TEAMS,
    }


class Arrivals:
    """When the overdue measurement of each handoff was read from Kafka, by the wall clock."""

    def __init__(self) -> None:
        self.at: dict[str, datetime] = {}

    def seconds_after(self, due: Mapping[str, datetime]) -> list[float]:
        """Of each handoff that was measured: seconds from its due moment, in order of size."""
        return sorted(
            (self.at[handoff] - at).total_seconds() for handoff, at in due.items() if handoff in self.at
        )


@contextmanager
def watched(project: Project) -> Iterator[Arrivals]:
    """Read funnel.handoff-latency from its end until the block ends, and a little longer."""
    arrivals, is_over = Arrivals(), threading.Event()
    consumer = KafkaConsumer(**project.client_settings(), enable_auto_commit=False)
    consumer.assign([TopicPartition(DERIVED_TOPIC, n) for n in consumer.partitions_for_topic(DERIVED_TOPIC)])
    consumer.seek_to_end()
    for partition in consumer.assignment():
        consumer.position(partition)

    def read() -> None:
        while not is_over.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                now = datetime.now(UTC)
                for record in records:
                    found = read_measured(record.value)
                    if isinstance(found, dict) and found.get("measure") == "overdue":
                        arrivals.at.setdefault(found["handoff_id"], now)

    thread = threading.Thread(target=read, name="due-moments", daemon=True)
    thread.start()
    try:
        yield arrivals
        time.sleep(SETTLE_SECONDS)
    finally:
        is_over.set()
        thread.join()
        consumer.close()
