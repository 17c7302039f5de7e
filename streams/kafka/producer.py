"""The async producer: messages to Kafka, in order, acknowledged by every in-sync replica."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.catalogue import DEAD_LETTER_TOPIC
from schemas.errors import BatonError, ExitCode
from streams.kafka.headers import encoded

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


class Producer:
    """An idempotent producer whose deliver() returns once every in-sync replica has them."""

    def __init__(self, kafka: Mapping[str, Any], delivery_seconds: float = DELIVERY_SECONDS) -> None:
        """`kafka`: connection settings for aiokafka."""
        self._kafka = kafka
        self._delivery_seconds = delivery_seconds
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Producer:
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
                    await self._producer.send(m.topic, m.value, key=m.key, headers=encoded(m.headers))
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


def _within_limit(message: Message) -> Message:
    """A record just under Kafka's limit would outgrow it by the headers of a dead letter. Its bytes then
    stay where the headers say it lies: that topic keeps everything."""
    size = len(message.value or b"") + len(message.key or b"")
    if message.topic != DEAD_LETTER_TOPIC or size <= LARGEST_DEAD_LETTER:
        return message
    left_out = f"key and value, {size} bytes together: too large to repeat"
    return Message(message.topic, None, None, {**message.headers, "baton_left_out": left_out})
