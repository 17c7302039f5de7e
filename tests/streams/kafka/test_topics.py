"""A topic that was deleted and recreated is not the one the warehouse has read."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.kafka.admin import admin
from streams.kafka.topics import create_topics, existing_topics, topic_ids
from tests.given import in_memory


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
