"""The async producer: messages to Kafka, in order, acknowledged by every in-sync replica."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)

from schemas.catalogue import DEAD_LETTER_TOPIC
from schemas.errors import BatonError, ExitCode
from streams.kafka.headers import encoded
from streams.kafka.names import NO_PREFIX, Names

# A broker that is away costs time, not the worker: longer than its upgrade or a lost network takes.
DELIVERY_SECONDS = 900.0
AGAIN_SECONDS = 1.0
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
    """A producer whose deliver() returns once every in-sync replica has the messages. Dead letters go a way
    of their own: one that Kafka refuses does not disturb the sequence of the others."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        delivery_seconds: float = DELIVERY_SECONDS,
        names: Names = NO_PREFIX,
    ) -> None:
        """`kafka`: connection settings for aiokafka. `names`: what the topics are called there."""
        self._names = names
        self._kafka = kafka
        self._delivery_seconds = delivery_seconds
        self._producers: dict[bool, AIOKafkaProducer] = {}

    async def __aenter__(self) -> Producer:
        for is_idempotent in (True, False):
            producer = AIOKafkaProducer(
                **self._kafka,
                client_id="baton-outbox" if is_idempotent else "baton-dead-letters",
                enable_idempotence=is_idempotent,
                acks="all",
                max_batch_size=256 * 1024,
                max_request_size=2 << 20,
            )
            self._producers[is_idempotent] = producer
            try:
                await producer.start()
            except BaseException:
                await self.__aexit__(None, None, None)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, in bounded time even while Kafka is down; what is not marked as sent is sent again."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*(producer.stop() for producer in self._producers.values()))
        except TimeoutError:
            pass

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Send, and return once Kafka has them all, in this order within a partition.

        While Kafka is away this waits. Raises BatonError when Kafka refuses one or does not acknowledge them
        in time; some may be stored.
        """
        if refused := await self.deliver_acceptable(messages):
            raise BatonError(
                "Kafka did not take a message",
                where=refused[0].topic,
                why="MessageSizeTooLarge: not even without key and value",
                next_command="baton doctor   (raise max.message.bytes of the topic)",
                exit_code=ExitCode.UNREACHABLE,
            )

    async def deliver_acceptable(self, messages: Sequence[Message]) -> list[Message]:
        """The same, but dead letters that Kafka takes in no form, as they are too large for it, are the
        answer, for callers that keep their records."""
        letters = [message for message in messages if message.topic == DEAD_LETTER_TOPIC]
        others = [message for message in messages if message.topic != DEAD_LETTER_TOPIC]
        try:
            async with asyncio.timeout(self._delivery_seconds):
                await self._send(others, is_idempotent=True)
                return await self._send_letters(letters)
        except (KafkaError, TimeoutError) as error:
            raise BatonError(
                "Kafka did not take a message",
                where=", ".join(sorted({message.topic for message in messages})),
                why=str(error) or f"no acknowledgement within {self._delivery_seconds:.0f} s",
                next_command="baton doctor   (the worker sends it again when it starts)",
                exit_code=ExitCode.UNREACHABLE,
            ) from error

    async def _send_letters(self, letters: Sequence[Message]) -> list[Message]:
        try:
            await self._send(list(map(_within_limit, letters)), is_idempotent=False)
            return []
        except _TOO_LARGE:
            if len(letters) > 1:  # one of them is, and nobody says which
                return [refused for letter in letters for refused in await self._send_letters([letter])]
        try:
            await self._send([_left_out(letters[0])], is_idempotent=False)
            return []
        except _TOO_LARGE:
            return list(letters)

    async def _send(self, messages: Sequence[Message], *, is_idempotent: bool) -> None:
        """Return once Kafka has them all. While it is away the client itself retries idempotent messages; the
        others it gives up, and they are sent again here."""
        producer = self._producers[is_idempotent]
        while messages:
            futures = [await self._buffered(producer, message) for message in messages]
            done = await asyncio.gather(*futures, return_exceptions=True)
            for why in done:
                if isinstance(why, BaseException) and (is_idempotent or not _may_pass(why)):
                    raise why
            messages = [m for m, why in zip(messages, done, strict=True) if isinstance(why, BaseException)]
            if messages:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _buffered(self, producer: AIOKafkaProducer, m: Message) -> asyncio.Future[Any]:
        """The outcome of a message on its way. While Kafka is away the client's buffer may be full."""
        key = b"" if m.key is None and m.value is None else m.key  # the client takes no record without both
        while True:
            try:
                outcome: asyncio.Future[Any] = await producer.send(
                    self._names.in_kafka(m.topic), m.value, key=key, headers=encoded(m.headers)
                )
                return outcome
            except KafkaTimeoutError:
                continue


def _may_pass(error: BaseException) -> bool:
    """Whether Kafka may take the same message later. A topic that is missing stays so until it is created."""
    if isinstance(error, UnknownTopicOrPartitionError):
        return False
    return isinstance(error, KafkaError) and (error.retriable or isinstance(error, KafkaTimeoutError))


_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


def _within_limit(message: Message) -> Message:
    """A record just under Kafka's limit would exceed it with the headers of a dead letter."""
    return _left_out(message) if _size(message) > LARGEST_DEAD_LETTER else message


def _left_out(message: Message) -> Message:
    """The dead letter without its bytes: they stay at the position in the headers, in a topic that keeps
    everything."""
    left_out = f"key and value, {_size(message)} bytes together: too large to repeat"
    return Message(message.topic, None, None, {**message.headers, "baton_left_out": left_out})


def _size(message: Message) -> int:
    return len(message.value or b"") + len(message.key or b"")
