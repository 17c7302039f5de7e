"""The sink: the data plane from Kafka to the warehouse, a batch at a time.

Three stages run at once, each with at most one batch in hand, so memory is bounded whatever the lag:

    fetch (event loop)  ->  decode (thread)  ->  commit (thread)

Batches are as large as what arrived while the stage before was busy: small when idle, up to
max_batch_records when behind. The destination says where to read on; Kafka's group offsets are
written for lag tools only. Any error ends the run: nothing is skipped, and a restart reads on from
the last commit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Protocol

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, Failure, RegistryLookup, decode
from schemas.errors import BatonError
from streams.kafka.topics import SINK_GROUP
from warehouse.commit import Batch, failed_table

MAX_BATCH_BYTES = 32 << 20
FETCH_BYTES_PER_PARTITION = 4 << 20
FETCH_BYTES = 32 << 20
# Batches that are not full go on while fewer than this are decoded or committed: waiting in a queue
# between two stages they would be as late and never grow.
MOST_SMALL_BATCHES = 2
SMALL_BATCH_SECONDS = 0.15
# A fetch waits this long for this much. Without it a busy topic is fetched a handful of records at a time,
# and asking costs more than reading.
FETCH_AT_LEAST_BYTES = 256 << 10
FETCH_WAIT_MS = 40
LAG_TOLD_EVERY_SECONDS = 2.0

Extent = Mapping[tuple[str, int], tuple[int, int]]
Offsets = Mapping[tuple[str, int], int]


@dataclass
class Fetched:
    """Records as they came, in runs of one partition: (topic, partition, number of records)."""

    records: list[ConsumerRecord] = field(default_factory=list)
    runs: list[tuple[str, int, int]] = field(default_factory=list)
    bytes: int = 0

    def add(self, topic: str, partition: int, records: list[ConsumerRecord]) -> None:
        self.records += records
        self.runs.append((topic, partition, len(records)))
        self.bytes += sum(record.serialized_value_size for record in records)


class Destination(Protocol):
    """Where a sink writes. Each batch is stored whole, with its offsets, or not at all."""

    max_batch_records: int

    def next_offsets(self) -> Offsets:
        """Where to read on. A partition that was never read is not in it."""
        ...

    def write(self, batch: Batch) -> None:
        """Store a batch. An error ends the sink."""
        ...


@dataclass
class Progress:
    """How far the sink is: records committed in this run, and records known to wait in Kafka."""

    records: int = 0
    batches: int = 0
    waiting: int = 0
    committed_at: float = 0.0


class Sink:
    """Reads the fact topics into one destination, exactly once."""

    def __init__(
        self,
        destination: Destination,
        kafka: Mapping[str, Any],
        extent: Extent,
        *,
        registry: RegistryLookup | None = None,
        on_commit: Callable[[Progress], None] | None = None,
    ) -> None:
        """`kafka`: settings for aiokafka. `extent`: (first, next) offset of every partition to read."""
        self.destination = destination
        self.kafka = kafka
        self.registry = registry
        self.on_commit = on_commit
        self.extent = extent
        self.progress = Progress()
        self._in_flight = 0
        self._handed_on_at = 0.0
        self._next: dict[tuple[str, int], int] = {}
        self._until: dict[tuple[str, int], int] | None = None

    async def run(self, stop: asyncio.Event, until: Offsets | None = None) -> Progress:
        """Read until `stop` is set, or until every partition of `until` has reached its offset.

        Raises whatever goes wrong; the destination then holds whole batches only.
        """
        self._until = dict(until) if until is not None else None
        consumer = AIOKafkaConsumer(
            **self.kafka,
            group_id=SINK_GROUP if until is None else None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES_PER_PARTITION,
            fetch_max_bytes=FETCH_BYTES,
            fetch_min_bytes=FETCH_AT_LEAST_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        await consumer.start()
        try:
            self._seek(consumer)
            await self._pump(consumer, stop)
        finally:
            await consumer.stop()
        return self.progress

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Take every partition and go to where the destination is. A log that lost records is an error."""
        consumer.assign([TopicPartition(*place) for place in self.extent])
        stored = self.destination.next_offsets()
        for place, (begin, end) in self.extent.items():
            at = stored.get(place, begin)
            if not begin <= at <= end:
                raise _lost_log(place, at, begin, end)
            self._next[place] = at
            consumer.seek(TopicPartition(*place), at)
        self.progress.waiting = sum(end - self._next[place] for place, (_, end) in self.extent.items())

    async def _pump(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Run the three stages until the first of them ends; an error in one ends all."""
        raw: asyncio.Queue[Fetched | None] = asyncio.Queue(maxsize=1)
        ready: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)
        with ThreadPoolExecutor(1, "decode") as decoding, ThreadPoolExecutor(1, "commit") as committing:
            async with asyncio.TaskGroup() as stages:
                lag = stages.create_task(self._tell_lag_tools(consumer))
                stages.create_task(self._fetch(consumer, stop, raw))
                stages.create_task(self._decode(raw, ready, decoding))
                await stages.create_task(self._commit(consumer, ready, committing))
                lag.cancel()

    async def _fetch(
        self, consumer: AIOKafkaConsumer, stop: asyncio.Event, raw: asyncio.Queue[Fetched | None]
    ) -> None:
        fetched = Fetched()
        while not stop.is_set() and not self._is_done():
            room = self.destination.max_batch_records - len(fetched.records)
            found = await consumer.getmany(timeout_ms=20 if fetched.records else 100, max_records=room)
            for partition, records in found.items():
                kept = self._in_order(partition, records)
                if kept:
                    fetched.add(partition.topic, partition.partition, kept)
            if fetched.records and (self._is_full(fetched) or self._may_be_small()):
                await self._hand_on(fetched, raw)
                fetched = Fetched()
        if fetched.records:
            await self._hand_on(fetched, raw)
        await raw.put(None)

    async def _hand_on(self, fetched: Fetched, raw: asyncio.Queue[Fetched | None]) -> None:
        self._in_flight += 1
        self._handed_on_at = time.monotonic()
        await raw.put(fetched)

    def _may_be_small(self) -> bool:
        """After a rest a batch goes on at once. In a stream it waits a moment: each batch costs the same
        some forty short statements, and small ones leave no time for anything else."""
        has_rested = time.monotonic() - self._handed_on_at >= SMALL_BATCH_SECONDS
        return has_rested and self._in_flight < MOST_SMALL_BATCHES

    def _is_full(self, fetched: Fetched) -> bool:
        return len(fetched.records) >= self.destination.max_batch_records or fetched.bytes >= MAX_BATCH_BYTES

    def _in_order(self, partition: TopicPartition, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """The records from the next offset on (and before `until`); what was read before is dropped."""
        place = (partition.topic, partition.partition)
        expected = self._next[place]
        if records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        if self._until is not None:
            last = self._until.get(place, 0)
            records = [record for record in records if record.offset < last]
        if records:
            self._next[place] = records[-1].offset + 1
        return records

    def _is_done(self) -> bool:
        return self._until is not None and all(
            self._next.get(place, 0) >= offset for place, offset in self._until.items()
        )

    async def _decode(
        self,
        raw: asyncio.Queue[Fetched | None],
        ready: asyncio.Queue[Batch | None],
        pool: ThreadPoolExecutor,
    ) -> None:
        loop = asyncio.get_running_loop()
        while (fetched := await raw.get()) is not None:
            await ready.put(await loop.run_in_executor(pool, to_batch, fetched, self.registry))
        await ready.put(None)

    async def _commit(
        self, consumer: AIOKafkaConsumer, ready: asyncio.Queue[Batch | None], pool: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        while (batch := await ready.get()) is not None:
            await loop.run_in_executor(pool, self.destination.write, batch)
            self._in_flight -= 1
            self.progress.records += batch.records
            self.progress.batches += 1
            self.progress.committed_at = time.time()
            self.progress.waiting = sum(
                max(0, (consumer.highwater(TopicPartition(*place)) or 0) - at)
                for place, at in self._next.items()
            )
            if self.on_commit:
                self.on_commit(self.progress)

    async def _tell_lag_tools(self, consumer: AIOKafkaConsumer) -> None:
        """Keep the group's offsets in Kafka near the destination's. Nothing of ours ever reads them."""
        told: Offsets = {}
        while self._until is None:
            await asyncio.sleep(LAG_TOLD_EVERY_SECONDS)
            stored = self.destination.next_offsets()
            if stored != told:
                await consumer.commit({TopicPartition(*place): offset for place, offset in stored.items()})
                told = stored


def to_batch(fetched: Fetched, registry: RegistryLookup | None = None) -> Batch:
    """Decode fetched records and give each its place. Every record ends in a frame or among the failed."""
    records = fetched.records
    decoded = decode([record.value for record in records], CATALOGUE, registry)
    offsets = pl.Series("kafka_offset", [record.offset for record in records], pl.Int64)
    partitions = _of_runs([(partition, n) for _, partition, n in fetched.runs]).alias("kafka_partition")
    topics = _of_runs([(CATALOGUE.topics.index(topic), n) for topic, _, n in fetched.runs])
    places = pl.DataFrame([partitions, offsets])
    failures = list(decoded.failures)
    facts: dict[str, pl.DataFrame] = {}
    for name, frame in decoded.frames.items():
        event = CATALOGUE.event_types[name]
        frame, misrouted = _on_own_topic(frame, topics, event.topic, name)
        failures += misrouted
        if frame.height:
            facts[name] = frame.hstack(places[frame.drop_in_place(ROW)])
    return Batch(facts, failed_table(_failed_rows(records, failures)), _reached(fetched))


def _of_runs(runs: list[tuple[int, int]]) -> pl.Series:
    """Each number as often as its run is long."""
    ends = pa.array(accumulate(length for _, length in runs), pa.int32())
    numbers = pa.array([number for number, _ in runs], pa.int32())
    return pl.Series(pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, numbers)))


def _on_own_topic(
    frame: pl.DataFrame, topics: pl.Series, own: str, name: str
) -> tuple[pl.DataFrame, list[Failure]]:
    """An event counts on its own topic only: who may write a topic decides who may say such a thing."""
    found = topics.gather(frame[ROW])
    is_own = found == CATALOGUE.topics.index(own)
    if is_own.all():
        return frame, []
    strays = zip(frame.filter(~is_own)[ROW], found.filter(~is_own), strict=True)
    reason = f"{name} belongs on {own}, not on "
    failures = [Failure(row, "route", reason + CATALOGUE.topics[topic], name) for row, topic in strays]
    return frame.filter(is_own), failures


def _failed_rows(records: list[ConsumerRecord], failures: list[Failure]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for failure in failures:
        record = records[failure.row]
        place = (record.topic, record.partition, record.offset, _written_at(record))
        rows.append((*place, failure.stage, failure.reason, failure.event_type, record.key, record.value))
    return rows


def _written_at(record: ConsumerRecord) -> datetime | None:
    """The record's Kafka timestamp. Its producer may have put anything there: what is no time is None."""
    try:
        return datetime.fromtimestamp(record.timestamp / 1000, UTC) if record.timestamp >= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _reached(fetched: Fetched) -> dict[tuple[str, int], tuple[int, int]]:
    """(next offset, records) of every partition in the batch."""
    reached: dict[tuple[str, int], tuple[int, int]] = {}
    start = 0
    for topic, partition, count in fetched.runs:
        _, before = reached.get((topic, partition), (0, 0))
        last = fetched.records[start + count - 1].offset
        reached[(topic, partition)] = (last + 1, before + count)
        start += count
    return reached


def _lost_log(place: tuple[str, int], at: int, begin: int, end: int) -> BatonError:
    lost = "its tail" if at > end else "its beginning"
    return BatonError(
        f"Kafka lost {lost} of a topic that the warehouse has read",
        where=f"{place[0]}, partition {place[1]}",
        why=f"the warehouse stands at offset {at}; the log now holds {begin} to {end}",
        next_command="restore the topic from a replica or backup; a reset would lose events from the numbers",
    )
