"""A warehouse in memory with the events of a file: what a worker would know after `baton publish`.

Each event gets the partition and offset that an empty Kafka would give it. What a worker's reactions add is
not there: alerts, and measurements as facts.
"""

from __future__ import annotations

from collections import Counter

import polars as pl
from kafka.partitioner.default import murmur2

from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import ROW, decode, encode
from schemas.validation import Record
from streams.kafka.topics import PARTITIONS
from warehouse.commit import Batch
from warehouse.warehouse import Warehouse

EVENTS_A_BATCH = 20_000


class EventsInMemory:
    """Takes checked events and commits them a batch at a time. Call finish() after the last."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._committer = warehouse.committer()
        self._values: list[bytes] = []
        self._places: list[tuple[int, int]] = []
        self._next: Counter[tuple[str, int]] = Counter()

    def take(self, event: EventType, record: Record) -> None:
        """Add one event, as EventReader has read it."""
        key = str(record[event.key]).encode()
        place = (event.topic, (murmur2(key) & 0x7FFFFFFF) % PARTITIONS[event.topic])
        self._values.append(encode(event, record))
        self._places.append((place[1], self._next[place]))
        self._next[place] += 1
        if len(self._values) >= EVENTS_A_BATCH:
            self.finish()

    def finish(self) -> None:
        """Commit what was taken and is not committed yet."""
        decoded = decode(self._values, CATALOGUE)
        assert not decoded.failures, decoded.failures[0]
        schema = {"kafka_partition": pl.Int32, "kafka_offset": pl.Int64}
        places = pl.DataFrame(self._places, schema, orient="row")
        facts = {
            name: frame.hstack(places[frame.drop_in_place(ROW)]) for name, frame in decoded.frames.items()
        }
        self._committer.commit(Batch(facts, offsets={place: (n, n) for place, n in self._next.items()}))
        self._values, self._places = [], []
