"""The relay against a real Kafka: what cannot be sent is kept and marked, and the rest arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from projections.playbook import read_playbook
from schemas.catalogue import DEAD_LETTER_TOPIC
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.producer import Message, Producer
from streams.kafka.topics import change_topics
from streams.worker.outbox_relay import OutboxRelay
from warehouse.commit import Batch, failed_table
from warehouse.warehouse import Warehouse

pytestmark = pytest.mark.kafka


def failed_rows(*records: tuple[bytes | None, bytes | None]) -> Batch:
    """A batch of unreadable records only: (key, value) each."""
    rows = [
        ("funnel.sales", 0, at, None, "frame", "it is no event", None, key, value)
        for at, (key, value) in enumerate(records)
    ]
    return Batch({}, failed_table(rows), {("funnel.sales", 0): (len(rows), len(rows))})


def relayed(kafka: str, warehouse: Warehouse) -> list[tuple[Any, ...]]:
    """Run a relay until nothing waits; the outbox: (message id, is it refused)."""

    async def run() -> None:
        stop = asyncio.Event()
        async with Producer({"bootstrap_servers": kafka}) as producer:
            relay = asyncio.create_task(OutboxRelay(warehouse.cursor(), producer).run(stop))
            waiting = "select count(*) from warehouse.outbox where not is_sent"
            try:
                async with asyncio.timeout(30):
                    while warehouse.cursor().execute(waiting).fetchall() != [(0,)] and not relay.done():
                        await asyncio.sleep(0.05)
            finally:
                stop.set()
                await relay

    asyncio.run(run())
    asked = "select message_id, is_refused from warehouse.outbox order by rowid"
    return warehouse.cursor().execute(asked).fetchall()


def dead_letters(kafka: str) -> list[Any]:
    place = TopicPartition(DEAD_LETTER_TOPIC, 0)
    consumer = KafkaConsumer(bootstrap_servers=kafka, max_partition_fetch_bytes=8 << 20)
    consumer.assign([place])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([place])[place]
    found: list[Any] = []
    while len(found) < end:
        for records in consumer.poll(1000).values():
            found += records
    consumer.close()
    return found


@pytest.fixture
def warehouse(tmp_path: Path) -> Any:
    with Warehouse.open(tmp_path / "w.duckdb", read_playbook()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        pytest.param((None, None), (b"", None), id="neither key nor value"),
        pytest.param((None, b"x" * 1_000_001), (b"", None), id="large, without a key"),
        pytest.param((b"k" * 1_000_001, None), (b"", None), id="a large key only"),
        pytest.param((None, b"x" * 999_999), (None, b"x" * 999_999), id="just small enough"),
    ],
)
def test_a_dead_letter_of_any_record_is_sent(
    clean_kafka: str, warehouse: Warehouse, record: Sequence[bytes | None], kept: Sequence[bytes | None]
) -> None:
    warehouse.committer().commit(failed_rows((b"a", b"1"), tuple(record), (b"b", b"2")))  # type: ignore[arg-type]

    assert relayed(clean_kafka, warehouse) == [], "what Kafka has is not kept twice"
    assert [(r.key, r.value) for r in dead_letters(clean_kafka)] == [(b"a", b"1"), tuple(kept), (b"b", b"2")]


def test_what_kafka_takes_in_no_form_is_marked_and_the_others_arrive(
    clean_kafka: str, warehouse: Warehouse
) -> None:
    with admin(clean_kafka) as client:
        change_topics(client, {DEAD_LETTER_TOPIC: {"max.message.bytes": "900"}})
    warehouse.committer().commit(failed_rows((b"a", b"1"), (b"b", b"x" * 2_000), (b"c", b"3")))
    warehouse.connection.execute(
        "update warehouse.outbox set headers = json_object('baton_reason', repeat('x', 2000))"
        " where message_id = 'failed/funnel.sales/0/2'"
    )

    outbox = relayed(clean_kafka, warehouse)

    assert outbox == [("failed/funnel.sales/0/2", True)]
    assert [(r.key, r.value) for r in dead_letters(clean_kafka)] == [(b"a", b"1"), (b"", None)]
    headers = dict(dead_letters(clean_kafka)[1].headers)
    assert headers["baton_left_out"].startswith(b"key and value, 2001 bytes")
    assert warehouse.ask("select count(*) from warehouse.failed_event")[1] == [(3,)]


def test_the_producer_goes_on_after_a_refused_letter(clean_kafka: str, topics: Any) -> None:
    other = topics()
    huge = Message(DEAD_LETTER_TOPIC, b"k", b"v", {"why": "x" * 3_000_000})

    async def run() -> list[list[Message]]:
        async with Producer({"bootstrap_servers": clean_kafka}) as producer:
            fine = Message(other, b"k", b"v", {})
            with pytest.raises(BatonError, match="did not take"):
                await producer.deliver([fine, huge])
            accept = producer.deliver_acceptable
            return [await accept([fine, huge, fine]), await accept([fine])]

    assert asyncio.run(run()) == [[huge], []]


def test_measurements_do_not_wait_behind_a_flood_of_dead_letters(
    clean_kafka: str, warehouse: Warehouse
) -> None:
    flood = failed_rows(*((b"k%d" % n, b"x" * 300) for n in range(20_000)))
    warehouse.committer().commit(flood)
    warehouse.connection.execute(
        "insert into warehouse.outbox by name select 'm' as message_id, 'funnel.handoff-latency' as topic,"
        " 'k'::blob as key, 'v'::blob as value, '{}' as headers, false as is_sent"
    )

    async def first() -> list[str]:
        async with Producer({"bootstrap_servers": clean_kafka}) as producer:
            relay = OutboxRelay(warehouse.cursor(), producer)
            stop = asyncio.Event()
            running = asyncio.create_task(relay.run(stop))
            while not relay.sent:
                await asyncio.sleep(0.01)
            stop.set()
            await running
        asked = "select message_id from warehouse.outbox where is_sent"
        return [message_id for (message_id,) in warehouse.cursor().execute(asked).fetchall()]

    assert asyncio.run(first()) == ["m"]
    assert relayed(clean_kafka, warehouse) == [("m", False)], "dead letters that were sent are not kept"
    assert [r.key for r in dead_letters(clean_kafka)] == [b"k%d" % n for n in range(20_000)], "in order"
