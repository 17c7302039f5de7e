"""The publisher against a real Kafka: what was acknowledged is there, keyed, framed and readable."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.partitioner import murmur2

from schemas.catalogue import CATALOGUE
from schemas.codec import decode
from schemas.errors import BatonError, ExitCode
from schemas.registry import SchemaRegistry, frame
from schemas.validation import ContractViolation
from streams.kafka import publisher
from streams.kafka.publisher import DeliveryFailure, Publisher
from streams.kafka.topics import log_extent
from streams.local.broker import free_ports, start_broker, stop_broker
from streams.project import Project

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def offered(handoff: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "HandoffOffered",
        "occurred_at": "2026-03-02T09:00:00Z",
        "source": "hubspot",
        "handoff_id": handoff,
        "lead_id": "lead-1",
        "from_team": "marketing",
        "to_team": "sales_development",
        **more,
    }


def won(opportunity: str) -> dict[str, Any]:
    return {
        "type": "OpportunityWon",
        "occurred_at": "2026-03-02T10:00:00+01:00",
        "source": "salesforce",
        "opportunity_id": opportunity,
        "account_id": "account-1",
        "amount": "1200.50",
        "currency": "EUR",
    }


def _ends(bootstrap: str) -> dict[tuple[str, int], int]:
    return {place: end for place, (_, end) in log_extent(bootstrap).items()}


class Log:
    """What arrives on the event topics from now on."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._from = _ends(bootstrap)

    def read(self) -> list[Any]:
        places = {TopicPartition(*place): offset for place, offset in _ends(self._bootstrap).items()}
        consumer = KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None)
        try:
            consumer.assign(list(places))
            for place in places:
                consumer.seek(place, self._from.get((place.topic, place.partition), 0))
            found: list[Any] = []
            deadline = time.monotonic() + 20
            while any(consumer.position(place) < end for place, end in places.items()):
                assert time.monotonic() < deadline
                for records in consumer.poll(timeout_ms=200).values():
                    found += records
            return found
        finally:
            consumer.close()


@pytest.mark.kafka
def test_an_event_arrives_as_it_was_published(kafka: str) -> None:
    handoff = f"handoff-{uuid4()}"
    with Publisher(kafka, clock=lambda: NOW) as one:
        log = Log(kafka)
        event_id = one.publish(offered(handoff))
        report = one.flush()

    (record,) = log.read()
    assert report.acked == 1 and report.by_type == {"HandoffOffered": 1}
    assert (record.topic, record.key) == ("funnel.marketing", handoff.encode())
    assert record.partition == (murmur2(handoff.encode()) & 0x7FFFFFFF) % 4, "as every Kafka client chooses"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": event_id.encode(),
        "ce_source": b"hubspot",
        "ce_type": b"HandoffOffered",
        "ce_time": b"2026-03-02T09:00:00+00:00",
        "content-type": b"application/avro",
    }
    frame = decode([record.value], CATALOGUE).frames["HandoffOffered"]
    assert frame["event_id"].item() == event_id
    assert frame["recorded_at"].item() == NOW


@pytest.mark.kafka
def test_publishing_the_same_again_gives_the_same_ids(kafka: str) -> None:
    events = [offered(f"handoff-{uuid4()}") for _ in range(3)]
    with Publisher(kafka) as one:
        log = Log(kafka)
        one.publish_many(events)
        one.publish_many(events)

    ids = [dict(record.headers)["ce_id"] for record in log.read()]
    assert len(ids) == 6 and len(set(ids)) == 3


@pytest.mark.kafka
def test_events_of_a_subject_keep_their_order(kafka: str) -> None:
    with Publisher(kafka) as one:
        log = Log(kafka)
        sent = [one.publish(offered(f"handoff-{n % 7}", reason=str(n))) for n in range(700)]

    arrived: dict[bytes, list[bytes]] = {}
    for record in log.read():
        arrived.setdefault(record.key, []).append(dict(record.headers)["ce_id"])
    assert len(arrived) == 7
    for n in range(7):
        assert arrived[f"handoff-{n}".encode()] == [event_id.encode() for event_id in sent[n::7]]


@pytest.mark.kafka
def test_a_violation_sends_nothing_and_stops_nothing_else(kafka: str) -> None:
    with Publisher(kafka) as one:
        log = Log(kafka)
        one.publish(offered("handoff-1"))
        with pytest.raises(ContractViolation):
            one.publish(offered(""))
        one.publish(won("deal-1"))

    assert sorted(record.topic for record in log.read()) == ["funnel.marketing", "funnel.sales"]


@pytest.mark.kafka
def test_leaving_by_a_violation_still_delivers_what_was_taken(kafka: str) -> None:
    with pytest.raises(ContractViolation), Publisher(kafka) as one:
        log = Log(kafka)
        one.publish_many([offered("handoff-1"), offered("")])
    assert len(log.read()) == 1


@pytest.mark.kafka
def test_closing_delivers(kafka: str) -> None:
    one = Publisher(kafka)
    log = Log(kafka)
    one.publish(offered("handoff-1"))
    one.close()
    one.close()
    assert len(log.read()) == 1


@pytest.mark.kafka
def test_memory_is_bounded_by_waiting(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "MOST_IN_FLIGHT", 50)
    with Publisher(kafka) as one:
        most = 0
        for n in range(1000):
            one.publish(offered(f"handoff-{n}"))
            most = max(most, len(one.in_flight))
        assert one.flush().acked == 1000
    assert most <= 50

    monkeypatch.setattr(publisher, "MOST_IN_FLIGHT", 20_000)
    monkeypatch.setattr(publisher, "MOST_BYTES_IN_FLIGHT", 100_000)
    with Publisher(kafka) as one:
        for n in range(40):
            one.publish(offered(f"handoff-{n}", reason="x" * 30_000))
            assert one.bytes_in_flight < 100_000
        assert one.flush().acked == 40


# --- schema registry ------------------------------------------------------------------------------


class _Registry(BaseHTTPRequestHandler):
    """Gives id 42 to any schema, and the schema back."""

    schema = ""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).schema = body["schema"]
        self._say({"id": 42})

    def do_GET(self) -> None:
        self._say({"schema": self.schema})

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's stderr."""


@pytest.fixture
def registry() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.kafka
def test_with_a_registry_values_travel_in_the_confluent_format(
    kafka: str, registry: str, tmp_path: Path
) -> None:
    project = Project.here({"BATON_KAFKA": kafka, "BATON_SCHEMA_REGISTRY": registry}, cwd=tmp_path)
    with Publisher(project) as one:
        log = Log(kafka)
        one.publish(won("deal-1"))

    (record,) = log.read()
    assert record.value.startswith(frame(42, b""))
    batch = decode([record.value], CATALOGUE, SchemaRegistry(registry).schema)
    assert not batch.failures
    assert batch.frames["OpportunityWon"]["opportunity_id"].item() == "deal-1"


# --- trouble --------------------------------------------------------------------------------------


def test_a_broker_that_is_not_there_is_told() -> None:
    with pytest.raises(BatonError) as caught:
        Publisher(f"127.0.0.1:{free_ports()[0]}")
    assert caught.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.kafka
def test_a_broker_that_dies_is_told_with_what_it_acknowledged(tmp_path: Path) -> None:
    """given a broker of its own that stops between two events."""
    project = Project(home=tmp_path, cwd=tmp_path)
    bootstrap = start_broker(project).bootstrap
    try:
        one = Publisher(bootstrap, delivery_timeout_seconds=3)
        one.publish_many([won("deal-0"), *(offered(f"handoff-{n}") for n in range(5))])
        other = Publisher(bootstrap, delivery_timeout_seconds=1)
    finally:
        stop_broker(project)
    one.publish(won("deal-1"))
    one.publish(won("deal-2"))

    started = time.monotonic()
    with pytest.raises(DeliveryFailure) as caught:
        one.flush()

    assert time.monotonic() - started < 15
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert caught.value.report.acked == 6
    assert "OpportunityWon" in caught.value.what
    assert caught.value.where == "topic funnel.sales, key deal-1"
    assert "6 of 8 events" in caught.value.why
    assert "publish the same events again" in caught.value.next_command
    with pytest.raises(DeliveryFailure):
        one.publish(won("deal-3"))
    one.close()

    with pytest.raises(DeliveryFailure, match="did not take HandoffOffered") as caught, other:
        other.publish(offered("handoff-1"))
    assert "0 of 1 events" in caught.value.why
