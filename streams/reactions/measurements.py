"""The agent over funnel.handoff-latency: forwards the obligations that alerts are decided by.

They are forwarded by handoff, on a topic whose partitions never change, for a table has as many; and answers
by pair of teams too, so that the agent that counts a pair sees all of its handoffs. Unreadable records become
dead letters.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

import fastavro

from schemas.catalogue import CATALOGUE, DEAD_LETTER_TOPIC
from schemas.codec import SINGLE_OBJECT_MAGIC, Failure, RegistryLookup, decode
from schemas.limits import EARLIEST, LATEST
from streams.kafka.headers import cloud_event_headers, dead_letter_headers
from streams.kafka.names import NO_PREFIX, Names
from streams.kafka.producer import Message

EVENT = CATALOGUE.event_types["HandoffMeasured"]
OBLIGATION = CATALOGUE.event_types["ObligationMeasured"]
_BY_HEADER = {SINGLE_OBJECT_MAGIC + event.fingerprint: event for event in (EVENT, OBLIGATION)}
PLAIN_LENGTH = 1_000

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


async def route_measured(
    events: AsyncIterable[Event],
    *,
    by_pair: str,
    by_handoff: str,
    deliver: Deliver,
    before_ack: BeforeAck,
    registry: RegistryLookup | None = None,
    names: Names = NO_PREFIX,
) -> AsyncIterator[None]:
    """Forward obligations to the topic `by_handoff`, and those to answer to `by_pair`. A repeated event is
    forwarded again."""
    async for event in events:
        async with before_ack():
            record = event.message
            found = read_measured(record.value, registry)
            if isinstance(found, Failure):
                await deliver([dead_letter(record, found, names)])
            elif "reached" in found:
                headers = cloud_event_headers(OBLIGATION, found)
                messages = [Message(by_handoff, found["handoff_id"].encode(), record.value, headers)]
                if found["sla"] == "answer":
                    messages.append(Message(by_pair, pair_of(found).encode(), record.value, headers))
                await deliver(messages)
        yield


def read_measured(value: bytes | None, registry: RegistryLookup | None = None) -> dict[str, Any] | Failure:
    """The measurement in these bytes, of a handoff or of an obligation (it says how far that `reached`); or
    why they cannot be read. Instants are datetimes in UTC."""
    if value is not None and (event := _BY_HEADER.get(value[:10])) is not None:
        body = io.BytesIO(value[10:])
        try:
            found = fastavro.schemaless_reader(body, event.parsed, None)
            if isinstance(found, dict) and body.tell() == len(value) - 10 and _is_plain(found):
                return found
        except Exception:  # hostile bytes make fastavro raise anything; decode() gives the reason
            pass
    batch = decode([value], CATALOGUE, registry)
    if batch.failures:
        return batch.failures[0]
    name, frame = next(iter(batch.frames.items()))
    if name not in (EVENT.name, OBLIGATION.name):
        return Failure(0, "route", f"{name} belongs on {CATALOGUE.event_types[name].topic}", name)
    return dict(frame.row(0, named=True))


def _is_plain(found: dict[str, Any]) -> bool:
    """Whether the contract's limits surely allow it. Where they may not, decode() judges as the sink does:
    no window holds the year 9999, and no key two names of a megabyte."""
    return all(
        len(said) < PLAIN_LENGTH if isinstance(said, str) else EARLIEST <= said < LATEST
        for said in found.values()
        if isinstance(said, str | datetime)
    )


def pair_of(measured: dict[str, Any]) -> str:
    """Who owes whom, as in marketing>sales_development."""
    return f"{measured['from_team']}>{measured['to_team']}"


def dead_letter(record: Record, failure: Failure, names: Names = NO_PREFIX) -> Message:
    """The dead letter for an unreadable record, with its original bytes."""
    headers = {**dead_letter_headers(record, failure), "baton_topic": names.own(record.topic)}
    return Message(DEAD_LETTER_TOPIC, record.key, record.value, headers)
