"""The way out: messages the warehouse decided on reach Kafka at least once, in the order it wrote them.

A message is marked as sent only after Kafka has it. A crash in between sends it again under the same
id, so a second delivery is the same event.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.catalogue import DEAD_LETTER_TOPIC, EventType
from schemas.errors import BatonError, ExitCode

MOST_MESSAGES = 1_000
MOST_BYTES = 8 << 20
IDLE_SECONDS = 0.2
DELIVERY_SECONDS = 60.0
CLOSE_SECONDS = 2.0
# Kafka's default limit is 1 MiB for a record with its headers.
LARGEST_DEAD_LETTER = 1_000_000


@dataclass(frozen=True)
class Message:
    """A record on its way to Kafka. Headers are text; one without a value is left out."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str | None]


class Courier:
    """Brings messages to Kafka: an idempotent producer that returns once every in-sync replica has them."""

    def __init__(self, kafka: Mapping[str, Any], delivery_seconds: float = DELIVERY_SECONDS) -> None:
        """`kafka`: connection settings for aiokafka."""
        self._kafka = kafka
        self._delivery_seconds = delivery_seconds
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Courier:
        self._producer = AIOKafkaProducer(
            **self._kafka,
            client_id="baton-outbox",
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=2 << 20,
        )
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, in bounded time also while Kafka is away; whatever is not marked is sent again."""
        if self._producer is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._producer.stop()
            except TimeoutError:
                pass

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Send, and return once Kafka has them all, in this order within a partition.

        Raises BatonError when Kafka refuses one, or does not take them in time; some may then be there.
        """
        assert self._producer is not None
        try:
            async with asyncio.timeout(self._delivery_seconds):
                futures = [
                    await self._producer.send(m.topic, m.value, key=m.key, headers=_headers(m.headers))
                    for m in map(_within_limit, messages)
                ]
                await asyncio.gather(*futures)
        except (KafkaError, TimeoutError) as error:
            raise BatonError(
                "Kafka did not take a message",
                where=", ".join(sorted({message.topic for message in messages})),
                why=str(error) or f"no acknowledgement within {self._delivery_seconds:.0f} s",
                next_command="baton doctor; the worker sends it again when it starts",
                exit_code=ExitCode.UNREACHABLE,
            ) from error


class Relay:
    """Takes unsent messages from the outbox to Kafka. One relay per warehouse."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, courier: Courier) -> None:
        """`connection`: a connection of its own."""
        self.connection = connection
        self.courier = courier
        self.sent = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is there, wait for more, until `stop`. Raises when Kafka does not take a message."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "outbox") as pool:
            while not stop.is_set():
                waiting = await loop.run_in_executor(pool, self._next)
                if not waiting:
                    await wait_for_stop(stop, IDLE_SECONDS)
                    continue
                await self.courier.deliver([message for _, message in waiting])
                await loop.run_in_executor(pool, self._mark_sent, [message_id for message_id, _ in waiting])
                self.sent += len(waiting)

    def _next(self) -> list[tuple[str, Message]]:
        """The oldest unsent messages: at most MOST_MESSAGES and, unless the first is larger, MOST_BYTES."""
        rows = self.connection.execute(
            """
            with waiting as (
                select rowid as place, coalesce(octet_length(value), 0) as bytes
                from warehouse.outbox where not is_sent order by rowid limit $messages),
            chosen as (
                select place from waiting qualify sum(bytes) over (order by place) - bytes < $bytes)
            select message_id, topic, key, value, headers::varchar
            from warehouse.outbox where rowid in (select place from chosen) order by rowid
            """,
            {"messages": MOST_MESSAGES, "bytes": MOST_BYTES},
        ).fetchall()
        return [
            (message_id, Message(topic, key, value, json.loads(headers)))
            for message_id, topic, key, value, headers in rows
        ]

    def _mark_sent(self, message_ids: list[str]) -> None:
        # A table, no parameter: the client tries to import pandas, which is not here, for each value.
        self.connection.register("sent_now", pa.table({"message_id": message_ids}))
        self.connection.execute(
            "update warehouse.outbox set is_sent = true"
            " where not is_sent and message_id in (select message_id from sent_now)"
        )
        self.connection.unregister("sent_now")


def cloud_event_headers(event_type: EventType, record: Mapping[str, Any]) -> dict[str, str | None]:
    """CloudEvents 1.0 in Kafka's binary mode, for a record with a datetime in occurred_at."""
    return {
        "ce_specversion": "1.0",
        "content-type": "application/avro",
        "ce_id": record["event_id"],
        "ce_source": record["source"],
        "ce_type": event_type.name,
        "ce_time": record["occurred_at"].isoformat(),
    }


async def wait_for_stop(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after this long."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _headers(headers: Mapping[str, str | None]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items() if value is not None]


def _within_limit(message: Message) -> Message:
    """A record just under Kafka's limit would outgrow it by the headers of a dead letter. Its bytes then
    stay where the headers say it lies: that topic keeps everything."""
    size = len(message.value or b"") + len(message.key or b"")
    if message.topic != DEAD_LETTER_TOPIC or size <= LARGEST_DEAD_LETTER:
        return message
    left_out = f"key and value, {size} bytes together: too large to repeat"
    return Message(message.topic, None, None, {**message.headers, "baton_left_out": left_out})
