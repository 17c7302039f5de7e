"""Marks: records that were read, by which a log is recognised. Offsets alone are not enough: a log that was
cut (a disk restored from a backup) and has grown again holds other records at the same offsets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from schemas.errors import BatonError, ExitCode
from streams.kafka.names import Names
from warehouse.commit import LOST_LOG_NEXT, Mark

LOOK_UP_SECONDS = 20.0
STOP_SECONDS = 2.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def mark_of(record: ConsumerRecord) -> Mark:
    """What a record is recognised by: its offset, its time, and its bytes."""
    content = hashlib.sha256(b"%d/" % len(record.key or b"") + (record.key or b"") + (record.value or b""))
    return Mark(record.offset, record.timestamp, content.hexdigest()[:32])


async def records_at(
    kafka: Mapping[str, Any],
    offsets: Mapping[tuple[str, int], int],
    extent: Mapping[tuple[str, int], tuple[int, int]],
    names: Names,
) -> dict[tuple[str, int], ConsumerRecord]:
    """The records at these offsets. One that the log no longer begins with, or that was compacted away, is
    not in the answer. Raises KafkaError when Kafka does not answer in time."""
    wanted = {
        TopicPartition(*names.place(place)): at
        for place, at in offsets.items()
        if extent[place][0] <= at < extent[place][1]
    }
    found: dict[tuple[str, int], ConsumerRecord] = {}
    if not wanted:
        return found
    consumer = AIOKafkaConsumer(**kafka, group_id=None, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign(list(wanted))
        for place, at in wanted.items():
            consumer.seek(place, at)
        async with asyncio.timeout(LOOK_UP_SECONDS):
            while wanted:
                for place, records in (await consumer.getmany(*wanted, timeout_ms=200)).items():
                    if records[0].offset == wanted.pop(place):
                        found[names.own_place(place)] = records[0]
                for place in [p for p, at in wanted.items() if await consumer.position(p) > at]:
                    del wanted[place]  # passed over: it is a marker now, or gone
    except TimeoutError:
        missing = ", ".join(f"{place.topic}/{place.partition}/{at}" for place, at in wanted.items())
        raise KafkaTimeoutError(f"{missing} not had within {LOOK_UP_SECONDS:.0f} s") from None
    finally:
        await stopped(consumer)
    return found


async def stopped(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer in bounded time: one that has only just started may never end by itself."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.stop()


def changed_log(place: tuple[str, int], read: Mark, found: Mark) -> BatonError:
    """The error for a log that holds another record where a marked one was read."""
    return BatonError(
        "Kafka lost events that the warehouse has read, and the log has grown again since",
        where=f"{place[0]}, partition {place[1]}",
        why=f"the record at offset {read.offset} was of {_shown(read)} when it was read;"
        f" the one there now is another, of {_shown(found)}",
        next_command=LOST_LOG_NEXT,
        exit_code=ExitCode.DATA_PROBLEMS,
    )


def _shown(mark: Mark) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=mark.written_ms)).isoformat(timespec="milliseconds")
    except OverflowError:
        return f"{mark.written_ms} ms"
