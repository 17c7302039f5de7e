"""The log as producers and administrators change it under a worker: transactions, added partitions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka.admin import admin
from streams.kafka.topics import PARTITIONS, change_topics, create_topics, existing_topics
from streams.queries.wait import wait_until_read
from tests.faults.running import Record, Running, make_load

pytestmark = pytest.mark.kafka
DATA = ("--only", "data")
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


def test_transactions_leave_no_lag_and_no_difference(running: Running, records: Sequence[Record]) -> None:
    asyncio.run(transactions(running.kafka, records, are_committed=True))
    asyncio.run(transactions(running.kafka, records, are_committed=False))

    with running.worker(*DATA) as worker:
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
        with running.worker(*DATA) as worker:
            running.wait_ready(worker)
            running.wait_for(worker, len(first))
        with admin(running.kafka) as client:
            change_topics(client, {}, {TOPIC: PARTITIONS[TOPIC] + 1})
        added = [Record(TOPIC, PARTITIONS[TOPIC], r.key, r.value) for r in second if r.topic == TOPIC]
        asyncio.run(transactions(running.kafka, added, are_committed=True))

        said = running.verify()
        assert not said["equal"] and list(said["unread"]) == [f"{TOPIC}/{PARTITIONS[TOPIC]}"]

        with running.worker(*DATA) as worker:
            running.wait_ready(worker)
            running.wait_for(worker, len(first) + len(added))
            assert running.verify()["equal"]
    finally:
        with admin(running.kafka) as client:
            client.delete_topics([TOPIC])
            while TOPIC in existing_topics(client):
                pass
            create_topics(client, {TOPIC: PARTITIONS[TOPIC]})
