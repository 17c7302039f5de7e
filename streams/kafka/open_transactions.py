"""Transactions of producers that neither commit nor abort: no reader of committed records gets past them.

A producer that died in one is aborted by Kafka after its transaction.timeout.ms. Kafka itself may also leave
one open for good, when a broker is lost between a commit and its markers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from schemas.catalogue import CATALOGUE
from streams.kafka.names import Names
from streams.kafka.topics import extent_of

# Sooner it is the ordinary life of a producer.
QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class OpenTransaction:
    """offsets: those from its first record to the end of the partition, which wait behind it. quiet_seconds:
    since its producer last wrote there."""

    topic: str
    partition: int
    first_offset: int
    offsets: int
    producer_id: int
    quiet_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.topic}, partition {self.partition}: {self.offsets:,} offsets wait behind a transaction"
            f" of producer {self.producer_id}, quiet for {self.quiet_seconds:,.0f} s"
        )


def open_transactions(client: KafkaAdminClient, names: Names) -> tuple[OpenTransaction, ...]:
    """The first one of each partition that is read, when its producer has been quiet for QUIET_SECONDS by the
    timestamps of its records. None when the cluster does not show producers, or not to us, or not now."""
    return tuple(found for found in _first_ones(client, names) if found.quiet_seconds >= QUIET_SECONDS)


def _first_ones(client: KafkaAdminClient, names: Names) -> list[OpenTransaction]:
    stable = {place: end for place, (_, end) in extent_of(client, CATALOGUE.fact_topics, names).items()}
    asked = {TopicPartition(*names.place(place)): OffsetSpec.LATEST for place in stable}
    written = client.list_partition_offsets(asked) if asked else {}
    behind = [place for place in asked if written[place].offset > stable[names.own_place(place)]]
    try:
        producers = client.describe_producers(behind) if behind else {}
    except KafkaError:
        return []
    found = []
    for place, state in producers.items():
        topic, partition = names.own_place(place)
        open_ones = [p for p in state.active_producers if p.current_transaction_start_offset >= 0]
        for producer in sorted(open_ones, key=lambda p: p.current_transaction_start_offset)[:1]:
            first = producer.current_transaction_start_offset
            quiet = max(0.0, time.time() - producer.last_timestamp / 1000)
            offsets = written[place].offset - first
            found.append(OpenTransaction(topic, partition, first, offsets, producer.producer_id, quiet))
    return found
