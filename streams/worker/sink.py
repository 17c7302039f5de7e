"""The sink: the data plane from Kafka to the warehouse, a batch at a time.

Three stages run concurrently, each with at most one batch, so memory is bounded whatever the lag:

    fetch (event loop)  ->  decode (thread)  ->  commit (thread)

A batch holds what arrived while the previous stage was busy: few records when idle, up to
max_batch_records when behind. The destination holds the offsets to resume from. Only committed records are
read; markers and aborted records move the position. Any error ends the run: nothing is skipped, and a
restart resumes from the last commit.

Beside them the sink watches the log: partitions that are added are read too; a topic that was recreated, and
a log that was cut behind our position, end the run, even when it has grown past it again (marks.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas.codec import RegistryLookup
from schemas.errors import BatonError, ExitCode
from streams.kafka.names import NO_PREFIX, Names
from streams.worker.log_watch import LogWatch
from streams.worker.marks import changed_log, mark_of, records_at, stopped
from streams.worker.meters import Progress, Seen
from streams.worker.records import Fetched, to_batch
from streams.worker.shutdown import wait_for_stop
from streams.worker.withheld import WithheldRecords
from warehouse.commit import LOST_LOG_NEXT, Batch, Mark

MAX_BATCH_BYTES = 32 << 20
FETCH_BYTES_PER_PARTITION = 4 << 20
FETCH_BYTES = 32 << 20
# Batches that are not full are handed on while fewer than this are being decoded or committed: waiting in a
# queue between two stages they would be as late and never grow.
MOST_SMALL_BATCHES = 2
SMALL_BATCH_SECONDS = 0.15
# A fetch waits this long for this much. Without it a busy topic is fetched a few records at a time, and the
# requests cost more than reading.
FETCH_AT_LEAST_BYTES = 256 << 10
FETCH_WAIT_MS = 40
WATCH_SECONDS = 3.0
RETRY_SECONDS = 0.5
# The records that prove the log to be the same are looked up again after this long, when more was read.
PROVE_SECONDS = 30.0

Extent = Mapping[tuple[str, int], tuple[int, int]]
Offsets = Mapping[tuple[str, int], int]


class Destination(Protocol):
    """Where a sink writes. Each batch is stored atomically with its offsets."""

    max_batch_records: int

    def next_offsets(self) -> Offsets:
        """The offsets to resume from. A partition that was never read has none."""
        ...

    def marks(self) -> Mapping[tuple[str, int], Mark]:
        """The marked record of each partition; none of a destination that keeps no offsets."""
        ...

    def write(self, batch: Batch) -> None:
        """Store a batch. An error ends the sink."""
        ...


class Sink:
    """Reads the fact topics into one destination, exactly once."""

    def __init__(
        self,
        destination: Destination,
        kafka: Mapping[str, Any],
        extent: Extent,
        *,
        names: Names = NO_PREFIX,
        registry: RegistryLookup | None = None,
        on_commit: Callable[[Progress], None] | None = None,
        watch: LogWatch | None = None,
        withheld: WithheldRecords | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`kafka`: settings for aiokafka. `extent`: (first, next) offset of every partition to read.
        `watch`: says how the log changes meanwhile; without it the extent is all there is. `withheld`: reads
        again what the registry withholds. `progress`: where to keep it for others to read."""
        self.destination = destination
        self.kafka = kafka
        self.names = names
        self.registry = registry
        self.on_commit = on_commit
        self.extent = dict(extent)
        self.watch = watch
        self.withheld = withheld
        self.progress = progress or Progress()
        self._in_flight = 0
        self._handed_on_at = 0.0
        self._next: dict[tuple[str, int], int] = {}
        self._until: dict[tuple[str, int], int] | None = None
        self._added: list[tuple[str, int]] = []
        self._last: dict[tuple[str, int], Mark] = {}
        self._marked: set[tuple[str, int]] = set()
        self._to_mark: dict[tuple[str, int], Mark] = {}

    async def run(self, stop: asyncio.Event, until: Offsets | None = None) -> Progress:
        """Read until `stop` is set, or until every partition of `until` has reached its offset.

        Raises any error; the destination then holds complete batches only.
        """
        self._until = dict(until) if until is not None else None
        if until is None:
            await self._prove_log(self.destination.marks())
        self._start_at_stored()
        consumer = AIOKafkaConsumer(
            **self.kafka,
            group_id=None,
            isolation_level="read_committed",
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
            await stopped(consumer)
        return self.progress

    async def _prove_log(self, marks: Mapping[tuple[str, int], Mark]) -> None:
        """Raise BatonError when a marked record is not where it was read: this is not the log of our offsets.

        `marks`: those of before the extent was seen, which has no later record. They move on to what had been
        read before they were proved, never to what was read after: that may be of another log already.
        """
        read_before = dict(self._last)
        for place, mark in marks.items():
            begin, end = self.extent.get(place, (0, 0))
            if mark.offset >= end:
                raise _lost_log(place, mark.offset + 1, begin, end)
        offsets = {place: mark.offset for place, mark in marks.items()}
        for place, record in (await records_at(self.kafka, offsets, self.extent, self.names)).items():
            if mark_of(record) != marks[place]:
                raise changed_log(place, marks[place], mark_of(record))
        self._marked |= marks.keys()
        self._to_mark = read_before

    def _start_at_stored(self) -> None:
        """Start at the destination's offsets. A log that lost records is an error."""
        for place, at in (self._until or {}).items():
            begin, end = self.extent.get(place, (0, 0))
            if at > end:
                raise _lost_log(place, at, begin, end)
        stored = self.destination.next_offsets()
        for place, (begin, end) in self.extent.items():
            at = stored.get(place, begin)
            if not begin <= at <= end:
                raise _lost_log(place, at, begin, end)
            self._next[place] = at
        self.progress.waiting = sum(end - self._next[place] for place, (_, end) in self.extent.items())
        self.progress.seen = Seen(time.time(), dict(self.extent), stored)

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._in_kafka(place) for place in self._next])
        for place, at in self._next.items():
            consumer.seek(self._in_kafka(place), at)

    def _in_kafka(self, place: tuple[str, int]) -> TopicPartition:
        return TopicPartition(*self.names.place(place))

    async def _pump(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        """Run the three stages until the first of them ends; an error in one ends all."""
        raw: asyncio.Queue[Fetched | None] = asyncio.Queue(maxsize=1)
        ready: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)
        with ThreadPoolExecutor(1, "decode") as decoding, ThreadPoolExecutor(1, "commit") as committing:
            async with asyncio.TaskGroup() as stages:
                watching = stages.create_task(self._watch(stop))
                retrying = stages.create_task(self._retry_withheld(decoding, committing))
                stages.create_task(self._fetch(consumer, stop, raw))
                stages.create_task(self._decode(raw, ready, decoding))
                await stages.create_task(self._commit(consumer, ready, committing))
                watching.cancel()
                retrying.cancel()

    async def _fetch(
        self, consumer: AIOKafkaConsumer, stop: asyncio.Event, raw: asyncio.Queue[Fetched | None]
    ) -> None:
        fetched = Fetched()
        while not stop.is_set() and not self._is_done():
            if self._added:
                self._next |= {place: self.extent[place][0] for place in self._added}
                self._added.clear()
                self._seek(consumer)
            room = self.destination.max_batch_records - len(fetched.records)
            try:
                found = await consumer.getmany(timeout_ms=20 if fetched.reached else 100, max_records=room)
            except OffsetOutOfRangeError:
                if self.watch is not None:  # it ends the sink with what became of the log
                    await wait_for_stop(stop, 20 * WATCH_SECONDS)
                raise
            for partition, records in found.items():
                place = self.names.own_place(partition)
                kept = self._in_order(place, records)
                if kept:
                    fetched.add(*place, kept)
            await self._pass_over(consumer, fetched)
            if fetched.reached and (self._is_full(fetched) or self._may_be_small()):
                await self._hand_on(fetched, raw)
                fetched = Fetched()
        if fetched.reached:
            await self._hand_on(fetched, raw)
        await raw.put(None)

    async def _pass_over(self, consumer: AIOKafkaConsumer, fetched: Fetched) -> None:
        """Move on over what the consumer passed over: markers, aborted records, gaps of compaction."""
        for place, at in self._next.items():
            position = await consumer.position(self._in_kafka(place))
            if self._until is not None:
                position = min(position, self._until.get(place, 0))
            if position > at:
                self._next[place] = fetched.reached[place] = position

    async def _hand_on(self, fetched: Fetched, raw: asyncio.Queue[Fetched | None]) -> None:
        self._in_flight += 1
        self._handed_on_at = time.monotonic()
        await raw.put(fetched)

    def _may_be_small(self) -> bool:
        """After a pause a batch is handed on at once. In a steady stream it waits briefly: each batch costs
        about forty short statements, and small ones leave no time for anything else."""
        has_paused = time.monotonic() - self._handed_on_at >= SMALL_BATCH_SECONDS
        return has_paused and self._in_flight < MOST_SMALL_BATCHES

    def _is_full(self, fetched: Fetched) -> bool:
        return len(fetched.records) >= self.destination.max_batch_records or fetched.bytes >= MAX_BATCH_BYTES

    def _in_order(self, place: tuple[str, int], records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """The records from the next offset on (and before `until`); those already read are dropped."""
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
            batch = await loop.run_in_executor(pool, to_batch, fetched, self.registry)
            last = {place: mark_of(record) for place, record in fetched.last_records().items()}
            first = {place: mark for place, mark in last.items() if place not in self._marked}
            batch.marks = {**first, **self._to_mark} if self._until is None else {}
            self._marked |= first.keys()
            self._to_mark = {}
            self._last |= last
            await ready.put(batch)
        await ready.put(None)

    async def _commit(
        self, consumer: AIOKafkaConsumer, ready: asyncio.Queue[Batch | None], pool: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        while (batch := await ready.get()) is not None:
            started = time.monotonic()
            await loop.run_in_executor(pool, self.destination.write, batch)
            self.progress.commits.note(time.monotonic() - started)
            if self.withheld:
                self.withheld.notice(batch)
            self._in_flight -= 1
            self.progress.records += batch.records
            self.progress.batches += 1
            self.progress.committed_at = time.time()
            self.progress.waiting = sum(
                max(0, (consumer.last_stable_offset(self._in_kafka(place)) or 0) - at)
                for place, at in self._next.items()
            )
            if self.on_commit:
                self.on_commit(self.progress)

    async def _retry_withheld(self, decoding: ThreadPoolExecutor, committing: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while self.withheld and self._until is None:
            batch = await loop.run_in_executor(decoding, self.withheld.retry)
            if batch is not None:
                await loop.run_in_executor(committing, self.destination.write, batch)
            await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, stop: asyncio.Event) -> None:
        """Follow how the log itself changes. Raises BatonError when it is no longer the one we read."""
        if self.watch is None or self._until is not None:
            return
        loop = asyncio.get_running_loop()
        proved_at, proved_batches = time.monotonic(), 0
        watching = ThreadPoolExecutor(1, "watch")
        try:
            while not stop.is_set():
                await wait_for_stop(stop, WATCH_SECONDS)
                before, stored = dict(self._next), self.destination.next_offsets()
                marks = self.destination.marks()
                extent = await loop.run_in_executor(watching, self.watch.look, stored)
                if extent is None:
                    continue
                for place, at in before.items():
                    begin, end = extent.get(place, (0, 0))
                    if not begin <= at <= end:
                        raise _lost_log(place, at, begin, end)
                self.extent = extent
                self.progress.seen = Seen(time.time(), extent, stored)
                self._added = [place for place in extent if place not in self._next]
                is_due = time.monotonic() - proved_at >= PROVE_SECONDS
                if is_due and self.progress.batches > proved_batches:
                    batches = self.progress.batches
                    with suppress(KafkaError):  # it does not answer now; the next look tries again
                        await self._prove_log(marks)
                        proved_at, proved_batches = time.monotonic(), batches
        finally:
            watching.submit(self.watch.close)
            watching.shutdown(wait=False)


def _lost_log(place: tuple[str, int], at: int, begin: int, end: int) -> BatonError:
    lost = "its tail" if at > end else "its beginning"
    return BatonError(
        f"Kafka lost {lost} of a topic that the warehouse has read",
        where=f"{place[0]}, partition {place[1]}",
        why=f"the warehouse is at offset {at}; the log now holds {begin} to {end}",
        next_command=LOST_LOG_NEXT,
        exit_code=ExitCode.DATA_PROBLEMS,
    )
