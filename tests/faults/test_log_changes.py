"""The log as producers and administrators change it under a worker: transactions, added partitions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from streams.kafka import open_transactions as open_transactions_module
from streams.kafka.admin import admin
from streams.kafka.topics import PARTITIONS, change_topics, create_topics, existing_topics, log_extent
from streams.queries.health_checks import CHECKS
from streams.queries.status import read_status
from streams.queries.wait import wait_until_read
from tests.faults.running import Record, Running, make_load

pytestmark = pytest.mark.kafka
TOPIC = "funnel.sales"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Record]:
    return make_load(7, 40, tmp_path_factory.mktemp("story"), duplicates=0, unreadable=0).records


@pytest.fixture
def running(tmp_path: Path, clean_kafka: str) -> Running:
    return Running(tmp_path, clean_kafka)


async def transactions(kafka: str, records: Sequence[Record], *, are_committed: bool) -> None:
    """Ten transactions of these records; each leaves a marker in every partition it touched."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id="etl") as producer:
        for number in range(10):
            await producer.begin_transaction()
            sent = [
                await producer.send(r.topic, r.value, key=r.key, partition=r.partition)
                for r in records[number::10]
            ]
            await asyncio.gather(*sent)
            await (producer.commit_transaction() if are_committed else producer.abort_transaction())


def test_a_transaction_that_nobody_ends_is_shown(
    running: Running, records: Sequence[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies behind it is committed, is no lag, and is not read: nothing else would say so."""
    monkeypatch.setattr(open_transactions_module, "QUIET_SECONDS", 0.0)
    in_one = [r for r in records if r.topic == TOPIC]
    place = in_one[0].partition
    producer = KafkaProducer(bootstrap_servers=running.kafka, transactional_id="etl-that-died")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(TOPIC, in_one[0].value, key=in_one[0].key, partition=place)
    producer.flush()
    asyncio.run(transactions(running.kafka, in_one, are_committed=True))
    extent = log_extent(running.project)

    shown, problems = read_status(running.project)
    assert not problems.kafka
    [waiting] = shown["open_transactions"]
    first, stable = extent[TOPIC, place]
    assert (waiting["topic"], waiting["partition"], waiting["first_offset"]) == (TOPIC, place, stable)
    assert waiting["offsets"] > sum(r.partition == place for r in in_one)
    advice = [check.next for check in dict(CHECKS)["kafka"](running.project) if check.level == "warn"]
    assert any(f"--topic {TOPIC} --partition {place} --start-offset {stable}" in next for next in advice)

    producer.abort_transaction()
    producer.close()
    assert read_status(running.project)[0]["open_transactions"] == []


def test_transactions_leave_no_lag_and_no_difference(running: Running, records: Sequence[Record]) -> None:
    asyncio.run(transactions(running.kafka, records, are_committed=True))
    asyncio.run(transactions(running.kafka, records, are_committed=False))

    with running.worker() as worker:
        running.wait_ready(worker)
        assert wait_until_read(running.project, seconds=60) == len(records)
        said = running.verify()
        worker.send_signal(signal.SIGTERM)
        assert running.wait_end(worker) == 0, running.log[-2000:]

    assert said["equal"], said
    count = len(records)
    assert said["log"] == {"good": count, "failed": 0, "duplicate": 0, "total": count, "in_kafka": count}


def test_a_partition_that_nobody_has_read_is_not_equal_until_it_is(
    running: Running, records: Sequence[Record]
) -> None:
    first, second = records[: len(records) // 2], records[len(records) // 2 :]
    try:
        asyncio.run(transactions(running.kafka, first, are_committed=True))
        with running.worker() as worker:
            running.wait_ready(worker)
            running.wait_for(worker, len(first))
        with admin(running.kafka) as client:
            change_topics(client, {}, {TOPIC: PARTITIONS[TOPIC] + 1})
        added = [Record(TOPIC, PARTITIONS[TOPIC], r.key, r.value) for r in second if r.topic == TOPIC]
        asyncio.run(transactions(running.kafka, added, are_committed=True))

        said = running.verify()
        assert not said["equal"] and list(said["unread"]) == [f"{TOPIC}/{PARTITIONS[TOPIC]}"]

        with running.worker() as worker:
            running.wait_ready(worker)
            running.wait_for(worker, len(first) + len(added))
            assert running.verify()["equal"]
    finally:
        with admin(running.kafka) as client:
            client.delete_topics([TOPIC])
            while TOPIC in existing_topics(client):
                pass
            create_topics(client, {TOPIC: PARTITIONS[TOPIC]})
