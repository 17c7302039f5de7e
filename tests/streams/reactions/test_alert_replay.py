"""The same measurements in another order, on another number of partitions: the same incidents."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from projections.playbook import read_playbook
from streams.kafka.admin import admin
from streams.kafka.topics import ensure_topics
from tests.given import as_bytes, given, in_memory
from tests.streams.reactions.alert_site import (
    AT_RISK,
    PAST_DUE,
    accepted,
    offered,
    paused,
    set_up,
)
from tests.streams.reactions.test_reaction import ALERTS, LATENCY, Site, decoded, read, until
from warehouse.measurement import Measurement

pytestmark = pytest.mark.kafka

HANDOFFS = 30


def measurements(site: Site) -> list[tuple[bytes, bytes]]:
    """(handoff, measurement) in the order a worker sends them, while late events revise what it said."""
    chance = random.Random(5)
    start = datetime.now(UTC) - timedelta(hours=12)
    said: list[tuple[datetime, dict[str, Any]]] = []
    for n in range(HANDOFFS):
        name, at = f"h{n}", start + timedelta(minutes=chance.randrange(60))
        said.append((at, offered(name, at)))
        done_at = at + timedelta(minutes=chance.randrange(60, 260))
        known_at = done_at + timedelta(minutes=chance.choice([0, 0, 30, 150]))
        said.append((known_at, accepted(name, done_at)))
        if chance.random() < 0.3:
            paused_at = at + timedelta(minutes=chance.randrange(20, 110))
            said.append((paused_at + timedelta(minutes=chance.choice([0, 120])), paused(name, paused_at)))
    with in_memory(read_playbook(site.project.playbook_file)) as warehouse:
        measurement = Measurement(warehouse.read_models())
        for minute in range(0, 8 * 60, 10):
            now = start + timedelta(minutes=minute)
            given(warehouse, as_bytes([event for at, event in said if at <= now]))
            said = [(at, event) for at, event in said if at > now]
            warehouse.pin_as_of(now)
            measurement.measure()
        return warehouse.connection.execute(
            "select key, value from warehouse.outbox order by rowid"
        ).fetchall()


def in_another_order(messages: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Those of each handoff in their order, the handoffs among each other in any."""
    chance = random.Random(6)
    left: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for key, value in messages:
        left.setdefault(key, []).append((key, value))
    found = []
    while left:
        key = chance.choice(sorted(left))
        found.append(left[key].pop(0))
        if not left[key]:
            del left[key]
    return found


def incidents(site: Site, messages: Sequence[tuple[bytes, bytes]]) -> set[tuple[Any, ...]]:
    """What the agents say of these measurements; twice each, as a relay may deliver them."""
    producer = KafkaProducer(bootstrap_servers=site.kafka)
    for first in range(0, len(messages), 10):
        for key, value in (*messages[first : first + 10], *messages[first : first + 10]):
            producer.send(LATENCY, key=key, value=value)
    producer.flush()
    producer.close()
    with site.worker("agents"):
        counts = [-1]

        def is_quiet() -> bool:
            counts.append(len(read(site.kafka, ALERTS)))
            return len(counts) > 8 and len(set(counts[-8:])) == 1 and counts[-1] > 0

        until(is_quiet, site, 120)
    found = set()
    for event in decoded(read(site.kafka, ALERTS)):
        if event.get("window_start_at") is not None:
            continue  # of those about a window the earliest counts: test_agents.py
        what = event.get("subject_id"), event.get("cause"), event.get("reason"), event.get("rule")
        found.add((event["event_id"], event["alert_id"], event["occurred_at"], *what))
    return found


@pytest.fixture
def site(tmp_path: Path, clean_kafka: str) -> Site:
    return Site(tmp_path, clean_kafka)


def test_the_same_log_in_another_order_on_other_partitions_is_the_same_incidents(site: Site) -> None:
    set_up(site, None, rules=PAST_DUE.replace('["hook"]', "[]") + AT_RISK.replace('["hook"]', "[]"))
    messages = measurements(site)

    once = incidents(site, messages)
    with admin(site.kafka) as client:
        own = [name for name in client.list_topics() if name.startswith(("baton-reaction", "funnel."))]
        client.delete_topics(own)
        until(lambda: not set(own) & set(client.list_topics()), site)
        client.create_topics({LATENCY: {"num_partitions": 5, "replication_factor": 1}})
        client.wait_for_topics([LATENCY], timeout_ms=20_000)
    ensure_topics(site.kafka)
    again = incidents(site, in_another_order(messages))

    kinds = [event_id.rpartition("-")[2] for event_id, *_ in once]
    assert min(kinds.count(kind) for kind in ("opened", "resolved", "retracted")) > 3
    assert again == once
