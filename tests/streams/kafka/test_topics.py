"""A topic that was deleted and recreated is not the one the warehouse has read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.topics import (
    change_topics,
    create_topics,
    existing_topics,
    holds_records,
    log_extent,
    topic_ids,
)
from streams.project import Project
from tests.given import in_memory


@pytest.mark.kafka
def test_markers_and_aborted_records_are_no_records(kafka: str, topics: Callable[..., str]) -> None:
    topic, project = topics(), Project(home=Path("unused"), cwd=Path("unused"), kafka=kafka)

    async def send(*, is_committed: bool) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"v", partition=0)
            await (producer.commit_transaction() if is_committed else producer.abort_transaction())

    asyncio.run(send(is_committed=True))  # offset 0, and its marker at 1
    asyncio.run(send(is_committed=False))  # 2 and 3
    place = (topic, 0)
    assert log_extent(kafka, [topic]) == {place: (0, 4)}

    assert holds_records(project, {place: (0, 4)})
    assert not holds_records(project, {place: (1, 4)})
    assert not holds_records(project, {place: (4, 4)})


@pytest.mark.kafka
def test_a_setting_that_kafka_shows_in_other_words_is_set(kafka: str, topics: Callable[..., str]) -> None:
    said = {"min.cleanable.dirty.ratio": "0.50", "preallocate": "TRUE", "cleanup.policy": "compact, delete"}
    with admin(kafka) as client:
        change_topics(client, {topics(): said})


@pytest.mark.kafka
def test_a_number_of_partitions_that_kafka_refuses_is_said_in_words(
    kafka: str, topics: Callable[..., str]
) -> None:
    topic = topics()
    with admin(kafka) as client, pytest.raises(BatonError, match="did not change") as refused:
        change_topics(client, {}, {topic: 100_000})
    assert (refused.value.where, "set partitions" in refused.value.next_command) == (topic, True)
    assert refused.value.why


def test_a_topic_made_again_is_not_taken_for_the_one_before(kafka: str, topics: Callable[..., str]) -> None:
    topic = topics()
    before = topic_ids(kafka, [topic])
    assert before[topic]
    with in_memory(read_playbook()) as warehouse:
        warehouse.recognise_topics(before)
        warehouse.recognise_topics(topic_ids(kafka, [topic]))  # a restart finds the same

        with admin(kafka) as client:
            client.delete_topics([topic])
            deadline = time.monotonic() + 20
            while topic in existing_topics(client):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            create_topics(client, {topic: 1})
        with pytest.raises(BatonError) as raised:
            warehouse.recognise_topics(topic_ids(kafka, [topic]))

    assert raised.value.where == topic
    assert before[topic] in raised.value.why


def test_a_topic_that_is_not_there_has_no_id(kafka: str) -> None:
    assert topic_ids(kafka, ["nobody.made.this"]) == {}
