"""The agent over funnel.handoff-latency: what is overdue goes on by pair of teams, the unreadable aside.

Measurements are keyed by handoff, alerts are about pairs of teams. So overdue measurements are written
once more, keyed by pair: whoever counts a pair then sees all of it.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import fastavro

from schemas.catalogue import CATALOGUE, DEAD_LETTER_TOPIC
from schemas.codec import SINGLE_OBJECT_MAGIC, Failure, RegistryLookup, decode
from streams.kafka.headers import cloud_event_headers, dead_letter_headers
from streams.kafka.producer import Message

EVENT = CATALOGUE.event_types["HandoffMeasured"]

Deliver = Callable[[Sequence[Message]], Awaitable[None]]
BeforeAck = Callable[[], AbstractAsyncContextManager[None]]


class Record(Protocol):
    """A Kafka record as Faust hands it over."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Event(Protocol):
    """A Faust event: its record is the message."""

    message: Record


async def route_overdue(
    events: AsyncIterable[Event],
    *,
    to_topic: str,
    deliver: Deliver,
    before_ack: BeforeAck,
    registry: RegistryLookup | None = None,
) -> AsyncIterator[None]:
    """Pass overdue measurements on to `to_topic`, keyed by pair. A repeated event is passed on again."""
    async for event in events:
        async with before_ack():
            record = event.message
            found = read_measured(record.value, registry)
            if isinstance(found, Failure):
                await deliver([dead_letter(record, found)])
            elif found["measure"] == "overdue":
                headers = cloud_event_headers(EVENT, found)
                await deliver([Message(to_topic, pair_of(found).encode(), record.value, headers)])
        yield


def read_measured(value: bytes | None, registry: RegistryLookup | None = None) -> dict[str, Any] | Failure:
    """The measurement in these bytes, or why there is none. Instants are datetimes in UTC."""
    if value is not None and value[:10] == SINGLE_OBJECT_MAGIC + EVENT.fingerprint:
        body = io.BytesIO(value[10:])
        try:
            found = fastavro.schemaless_reader(body, EVENT.parsed, None)
            if isinstance(found, dict) and body.tell() == len(value) - 10:
                return found
        except Exception:  # fastavro raises whatever hostile bytes provoke; decode() says it in words
            pass
    batch = decode([value], CATALOGUE, registry)
    if batch.failures:
        return batch.failures[0]
    name, frame = next(iter(batch.frames.items()))
    if name != EVENT.name:
        return Failure(0, "route", f"{name} belongs on {CATALOGUE.event_types[name].topic}", name)
    return dict(frame.row(0, named=True))


def pair_of(measured: dict[str, Any]) -> str:
    """Who owes whom, as in marketing>sales_development."""
    return f"{measured['from_team']}>{measured['to_team']}"


def dead_letter(record: Record, failure: Failure) -> Message:
    """An unreadable record on its way to the dead-letter topic, with its own bytes."""
    return Message(DEAD_LETTER_TOPIC, record.key, record.value, dead_letter_headers(record, failure))
