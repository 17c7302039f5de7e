"""The sink against a real Kafka: it reads what was committed, all of it, and from the log it knows only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka.admin import KafkaAdminClient

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.topics import (
    SINK_GROUP,
    change_topics,
    committed_offsets,
    create_topics,
    existing_topics,
    log_extent,
    topic_ids,
)
from streams.worker import sink as sink_module
from streams.worker.log_watch import LogWatch
from streams.worker.sink import Sink
from streams.worker.withheld import WithheldRecords
from tests.schemas.test_codec import WON
from tests.schemas.test_hostile_schemas import framed
from tests.streams.worker.test_withheld import Registry
from warehouse.commit import Batch, Mark
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

pytestmark = pytest.mark.kafka

TOPIC = "funnel.sales"
REACHED = CATALOGUE.event_types["BuyerReached"]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def reached(number: int) -> bytes:
    record = {
        "event_id": f"e-{number}",
        "occurred_at": NOON,
        "recorded_at": NOON,
        "source": "dialer",
        "lead_id": f"lead-{number}",
        "handoff_id": None,
        "owner": None,
        "channel": "phone",
        "contact_id": None,
    }
    return encode(REACHED, record)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "WATCH_SECONDS", 0.2)
    monkeypatch.setattr(sink_module, "PROVE_SECONDS", 0.2)


@pytest.fixture
def warehouse(tmp_path: Path) -> Any:
    with Warehouse.open(tmp_path / "w.duckdb", read_playbook()) as opened:
        yield opened


async def produce(kafka: str, numbers: Sequence[int], partition: int = 0) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number in numbers:
            await producer.send_and_wait(TOPIC, reached(number), partition=partition)


def new_sink(kafka: str, warehouse: Warehouse, *, is_watching: bool = True) -> Sink:
    warehouse.recognise_topics(topic_ids(kafka, CATALOGUE.fact_topics))
    watch = LogWatch(kafka, CATALOGUE.fact_topics, warehouse.recognise_topics) if is_watching else None
    extent = log_extent(kafka, CATALOGUE.fact_topics)
    return Sink(WarehouseWriter(warehouse), {"bootstrap_servers": kafka}, extent, watch=watch)


@asynccontextmanager
async def running(sink: Sink) -> AsyncIterator[Sink]:
    """A sink that runs beside the test. What ends it is raised here."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sink.run(stop))
        try:
            yield sink
        finally:
            stop.set()


async def until(is_so: Callable[[], Any], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.05)


def raised_by(work: Coroutine[Any, Any, None]) -> BatonError:
    """What ends this, within two minutes."""
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(asyncio.wait_for(work, 120))
    found: BaseException = caught.value
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, BatonError)
    return found


def ids(warehouse: Warehouse) -> list[str]:
    _, rows = warehouse.ask("select event_id from facts.buyer_reached order by event_id")
    return [row[0] for row in rows]


def books(warehouse: Warehouse, partition: int = 0) -> tuple[int, int]:
    """(next offset, records) of a partition."""
    _, rows = warehouse.ask(
        "select next_offset, records from warehouse.next_offset"
        f" where topic = '{TOPIC}' and kafka_partition = {partition}"
    )
    return rows[0] if rows else (0, 0)


async def transaction(kafka: str, name: str, numbers: Sequence[int], *, is_committed: bool) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=name) as producer:
        await producer.begin_transaction()
        for number in numbers:
            await producer.send_and_wait(TOPIC, reached(number), partition=0)
        await (producer.commit_transaction() if is_committed else producer.abort_transaction())


def recreate(client: KafkaAdminClient) -> None:
    client.delete_topics([TOPIC])
    while TOPIC in existing_topics(client):
        pass
    create_topics(client, {TOPIC: 4})


# --- transactions -------------------------------------------------------------------------------


def test_only_committed_records_count_and_positions_pass_the_others(
    clean_kafka: str, warehouse: Warehouse, tmp_path: Path
) -> None:
    async def run() -> None:
        await transaction(clean_kafka, "a", [1, 2], is_committed=True)
        await transaction(clean_kafka, "a", [3, 4, 5], is_committed=False)
        async with running(new_sink(clean_kafka, warehouse)) as sink:
            await until(lambda: books(warehouse)[0] == 7)  # 2 records and a marker, 3 and a marker
            assert (ids(warehouse), books(warehouse)) == (["e-1", "e-2"], (7, 2))
            await until(lambda: sink.progress.waiting == 0)

            async with AIOKafkaProducer(bootstrap_servers=clean_kafka, transactional_id="b") as producer:
                await producer.begin_transaction()
                await producer.send_and_wait(TOPIC, reached(6), partition=0)
                await produce(clean_kafka, [7])
                await asyncio.sleep(1)
                assert ids(warehouse) == ["e-1", "e-2"], "an open transaction holds back what follows"
                assert log_extent(clean_kafka, [TOPIC])[(TOPIC, 0)] == (0, 7)
                await producer.commit_transaction()
            await until(lambda: books(warehouse)[0] == 10)
            await until(lambda: sink.progress.waiting == 0)
            await until(lambda: sink.progress.seen.stored == warehouse.next_offsets())
            assert not any(sink.progress.seen.lag().values())
            assert sink.progress.commits.count == sink.progress.batches > 1
            assert 0 < sink.progress.commits.seconds < 60
        assert (ids(warehouse), books(warehouse)) == (["e-1", "e-2", "e-6", "e-7"], (10, 4))

    asyncio.run(run())
    with Warehouse.open(tmp_path / "second.duckdb", read_playbook()) as second:
        replay = Sink(
            WarehouseWriter(second),
            {"bootstrap_servers": clean_kafka},
            log_extent(clean_kafka, CATALOGUE.fact_topics),
        )
        asyncio.run(asyncio.wait_for(replay.run(asyncio.Event(), until=warehouse.next_offsets()), 20))
        assert second.next_offsets() == warehouse.next_offsets()
        assert (ids(second), books(second)) == (ids(warehouse), books(warehouse))


# --- partitions and topics ----------------------------------------------------------------------


def test_partitions_added_meanwhile_are_read(clean_kafka: str, warehouse: Warehouse) -> None:
    async def run() -> None:
        async with running(new_sink(clean_kafka, warehouse)):
            await produce(clean_kafka, [1])
            await until(lambda: ids(warehouse) == ["e-1"])
            with admin(clean_kafka) as client:
                change_topics(client, {}, {TOPIC: 5})
            await produce(clean_kafka, [2], partition=4)
            await produce(clean_kafka, [3])
            await until(lambda: ids(warehouse) == ["e-1", "e-2", "e-3"])
            await until(lambda: committed_offsets(clean_kafka).get((TOPIC, 4)) == 1)

    try:
        asyncio.run(run())
    finally:
        with admin(clean_kafka) as client:
            recreate(client)


def test_a_topic_recreated_while_the_sink_runs_ends_it(clean_kafka: str, warehouse: Warehouse) -> None:
    async def run() -> None:
        async with running(new_sink(clean_kafka, warehouse)):
            await produce(clean_kafka, [1, 2, 3])
            await until(lambda: ids(warehouse) == ["e-1", "e-2", "e-3"])
            with admin(clean_kafka) as client:
                recreate(client)
            await produce(clean_kafka, [4, 5, 6, 7, 8])
            await asyncio.sleep(10)

    assert raised_by(run()).where.startswith(TOPIC)


def test_a_log_that_was_cut_and_grew_past_the_position_is_not_read(
    clean_kafka: str, warehouse: Warehouse
) -> None:
    async def run() -> None:
        await produce(clean_kafka, [1, 2, 3])
        async with running(new_sink(clean_kafka, warehouse)):
            await until(lambda: ids(warehouse) == ["e-1", "e-2", "e-3"])
        with admin(clean_kafka) as client:
            recreate(client)
        warehouse.connection.execute("delete from warehouse.topic")  # a restored disk keeps the topic's id
        await produce(clean_kafka, [1, 2, 4, 5, 6])
        await new_sink(clean_kafka, warehouse).run(asyncio.Event())

    with pytest.raises(BatonError, match="has grown again") as caught:
        asyncio.run(asyncio.wait_for(run(), 30))
    assert "the record at offset 2 " in caught.value.why
    assert ids(warehouse) == ["e-1", "e-2", "e-3"]


def test_a_log_that_turns_out_to_be_another_ends_a_running_sink(
    clean_kafka: str, warehouse: Warehouse
) -> None:
    async def run() -> None:
        await produce(clean_kafka, [1])
        async with running(new_sink(clean_kafka, warehouse)):
            await until(lambda: ids(warehouse) == ["e-1"])
            warehouse.cursor().execute("update warehouse.mark set content = 'of another log'")
            await produce(clean_kafka, [2])
            await asyncio.sleep(10)

    assert "has grown again" in raised_by(run()).what


def test_a_log_that_only_grew_is_the_same_log(clean_kafka: str, warehouse: Warehouse) -> None:
    async def run() -> None:
        for numbers in ([1, 2], [3], [4, 5]):
            await produce(clean_kafka, numbers)
            async with running(new_sink(clean_kafka, warehouse)):
                await until(lambda numbers=numbers: f"e-{numbers[-1]}" in ids(warehouse))

    asyncio.run(run())
    assert warehouse.marks()[(TOPIC, 0)].offset < 2


def test_marks_move_on_once_they_are_proved(clean_kafka: str, warehouse: Warehouse) -> None:
    async def run() -> None:
        async with running(new_sink(clean_kafka, warehouse)):
            for number in range(1, 100):
                await produce(clean_kafka, [number])
                await asyncio.sleep(0.2)
                if warehouse.marks().get((TOPIC, 0), first).offset > 2:
                    return
        raise AssertionError(warehouse.marks())

    first = Mark(0, 0, "")
    asyncio.run(run())


class Overtaken(LogWatch):
    """After it has looked for the first time, the first record of a partition is written, read and marked."""

    def __init__(self, kafka: str, warehouse: Warehouse) -> None:
        super().__init__(kafka, CATALOGUE.fact_topics, warehouse.recognise_topics)
        self.kafka, self.warehouse, self.looks = kafka, warehouse, 0

    def look(self, offsets: Any) -> Any:
        extent = super().look(offsets)
        self.looks += 1
        if self.looks == 1:
            asyncio.run(produce(self.kafka, [1], partition=1))
            asyncio.run(until(lambda: (TOPIC, 1) in self.warehouse.marks()))
        return extent


def test_a_record_that_is_marked_after_the_log_was_looked_at_is_not_lost(
    clean_kafka: str, warehouse: Warehouse
) -> None:
    async def run() -> None:
        sink = new_sink(clean_kafka, warehouse)
        sink.watch = watch = Overtaken(clean_kafka, warehouse)
        async with running(sink):
            await until(lambda: watch.looks > 3)

    asyncio.run(run())


def test_a_replay_up_to_an_offset_that_the_log_lacks_ends(clean_kafka: str, warehouse: Warehouse) -> None:
    sink = new_sink(clean_kafka, warehouse, is_watching=False)
    with pytest.raises(BatonError, match="lost its tail"):
        asyncio.run(asyncio.wait_for(sink.run(asyncio.Event(), until={(TOPIC, 0): 3}), 10))


# --- what exists for lag tools only -------------------------------------------------------------


def test_another_member_in_the_group_ends_nothing(clean_kafka: str, warehouse: Warehouse) -> None:
    async def run() -> None:
        async with AIOKafkaConsumer(TOPIC, bootstrap_servers=clean_kafka, group_id=SINK_GROUP) as member:
            await member.getmany(timeout_ms=100)
            async with running(new_sink(clean_kafka, warehouse)):
                await produce(clean_kafka, [1])
                await until(lambda: ids(warehouse) == ["e-1"])
                await asyncio.sleep(1)
                await produce(clean_kafka, [2])
                await until(lambda: ids(warehouse) == ["e-1", "e-2"])

    asyncio.run(run())


class RetriedMeanwhile(WarehouseWriter):
    """Before each write, what is withheld is looked for: the records on their way are not to be found yet."""

    withheld: WithheldRecords

    def write(self, batch: Batch) -> None:
        self.withheld.retry()
        super().write(batch)


def test_what_is_withheld_is_tried_again_also_after_a_look_between_reading_and_writing(
    clean_kafka: str, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "RETRY_SECONDS", 0.2)
    registry = Registry()
    registry.withheld = {7}
    sink = new_sink(clean_kafka, warehouse)
    destination = RetriedMeanwhile(warehouse)
    destination.withheld = WithheldRecords(warehouse.cursor(), registry.schema)
    sink.destination, sink.withheld, sink.registry = destination, destination.withheld, registry.schema

    async def follow() -> None:
        async with running(sink):
            async with AIOKafkaProducer(bootstrap_servers=clean_kafka) as producer:
                await producer.send_and_wait(WON.topic, framed(7), partition=0)
            failed = "select stage from warehouse.failed_event"
            await until(lambda: warehouse.ask(failed)[1] == [("registry",)])
            registry.withheld = set()
            await until(lambda: warehouse.ask(failed)[1] == [])

    asyncio.run(follow())
    assert warehouse.ask("select count(*) from log.opportunity_won")[1] == [(1,)]
