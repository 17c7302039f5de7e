"""The Python publisher: events to Kafka over kafka-python, checked before and acknowledged after.

    with Publisher(Project.here()) as publisher:
        publisher.publish({"type": "LeadCaptured", "occurred_at": ..., "source": "hubspot", ...})
        report = publisher.flush()

An event counts as published only once every in-sync replica has it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import Partitioner, murmur2
from kafka.producer.future import FutureRecordMetadata

from schemas.catalogue import EventType
from schemas.codec import HEADER_LENGTH, SINGLE_OBJECT_MAGIC, encode
from schemas.errors import BatonError, ExitCode
from schemas.refused import refused_value
from schemas.registry import SchemaRegistry, frame
from schemas.validation import Clock, EventReader, Record, system_clock
from streams.kafka.admin import connection, unreachable
from streams.kafka.headers import encoded_cloud_event_headers
from streams.kafka.names import names_of
from streams.kafka.registry import registry_of
from streams.kafka.topics import ensure_topics
from streams.project import Project

# Unacknowledged events are kept to these bounds; publish() waits once either is reached.
MOST_IN_FLIGHT = 20_000
MOST_BYTES_IN_FLIGHT = 32 * 1024 * 1024

# Larger batches and gzip: kafka-python checksums in pure Python, so bytes saved are time saved.
BATCH_BYTES = 64 * 1024
LINGER_MS = 20
COMPRESSION = "gzip"

# What a refused row is called in the counts of a report.
REFUSED_ROW = "refused row"

_SINGLE_OBJECT_HEADER = HEADER_LENGTH[SINGLE_OBJECT_MAGIC[:1]]


@dataclass
class PublishReport:
    """Events that Kafka has acknowledged, since the publisher was opened."""

    acked: int = 0
    by_type: Counter[str] = field(default_factory=Counter)


class _Sent(NamedTuple):
    """An event on its way: what an error must name, and what it counts for."""

    future: FutureRecordMetadata
    topic: str
    key: str
    event_type: str
    event_id: str
    size: int


class Publisher:
    """Publishes events, each keyed by its type's key field, so that the events of a subject keep their order.

    Idempotent in both senses: retries inside Kafka add nothing, and an event without event_id gets the
    same one whenever it is published again. One publisher belongs to one thread.
    """

    def __init__(
        self,
        where: Project | str,
        *,
        registry: SchemaRegistry | None = None,
        clock: Clock = system_clock,
        delivery_timeout_seconds: float = 60.0,
    ) -> None:
        """where: a project, or bare bootstrap servers. Missing topics are created.

        With a registry (default: the project's) values travel in the Confluent wire format. An event not
        acknowledged within delivery_timeout_seconds is a failure. Raises BatonError (exit 4) when no
        broker answers.
        """
        if registry is None and isinstance(where, Project):
            registry = registry_of(where)
        self._registry = registry
        self._names = names_of(where)
        self._reader = EventReader()
        self._clock = clock
        self._timeout_seconds = delivery_timeout_seconds
        self._report = PublishReport()
        self.in_flight: deque[_Sent] = deque()
        self.bytes_in_flight = 0
        self._taken = 0
        self._failure: DeliveryFailure | None = None
        self._is_closed = False
        ensure_topics(where)
        self._producer = _open_producer(where, delivery_timeout_seconds)

    def publish(self, event: Mapping[str, Any]) -> str:
        """Check an event and hand it to Kafka's sender; returns its event_id.

        Raises ContractViolation, with nothing sent, when it breaks the contract, and BatonError (exit 4) when
        this or an earlier event could not be delivered; from then on this publisher takes no more. Returning
        is not yet an acknowledgement: flush() is. Waits while MOST_IN_FLIGHT events are unacknowledged.
        """
        self._refuse_after_failure()
        return self.publish_record(*self._reader.read(event, self._clock))

    def publish_record(self, event_type: EventType, record: Record) -> str:
        """publish() of an event that EventReader has read."""
        self._refuse_after_failure()
        value = self._value(event_type, record)
        headers = encoded_cloud_event_headers(event_type, record)
        event_id = str(record["event_id"])
        self._send(event_type.topic, record[event_type.key], value, headers, event_type.name, event_id)
        return event_id

    def publish_refused(self, topic: str, refused_id: str, said: dict[str, Any]) -> None:
        """Keep a row that is not an event on the topic of the event it would have been; see
        schemas/refused.py.

        It is counted as `refused row`. The same one again is the same failed event twice.
        """
        self._refuse_after_failure()
        self._send(topic, refused_id, refused_value(said), [], REFUSED_ROW, refused_id)

    def _send(
        self, topic: str, key: str, value: bytes, headers: list[tuple[str, bytes]], name: str, event_id: str
    ) -> None:
        self._taken += 1
        try:
            future = self._producer.send(
                self._names.in_kafka(topic), value, key=key.encode(), headers=headers
            )
        except KafkaError as error:
            raise self._fail(topic, key, name, event_id, error) from error
        sent = _Sent(future, topic, key, name, event_id, len(value))
        self.in_flight.append(sent)
        self.bytes_in_flight += sent.size
        if len(self.in_flight) >= MOST_IN_FLIGHT or self.bytes_in_flight >= MOST_BYTES_IN_FLIGHT:
            self._settle(down_to=MOST_IN_FLIGHT // 2, bytes_down_to=MOST_BYTES_IN_FLIGHT // 2)

    def publish_many(self, events: Iterable[Mapping[str, Any]]) -> PublishReport:
        """publish() each and flush(). Stops at the first that breaks the contract; those before it go."""
        for event in events:
            self.publish(event)
        return self.flush()

    def flush(self) -> PublishReport:
        """Wait until Kafka has every event published so far. Raises BatonError (exit 4) when one failed."""
        self._refuse_after_failure()
        try:
            self._producer.flush(timeout=self._timeout_seconds)
        except KafkaError:
            pass  # the futures identify the event
        self._settle(down_to=0, bytes_down_to=0)
        return PublishReport(self._report.acked, Counter(self._report.by_type))

    def close(self) -> None:
        """flush(), then release connections and threads. Idempotent."""
        try:
            if not self._is_closed and self._failure is None:
                self.flush()
        finally:
            self._shut()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """close(), also after a ContractViolation: what publish() accepted is delivered.

        An interrupt does not wait.
        """
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self._shut()

    def _shut(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            try:
                self._producer.close(timeout=1)
            except KafkaError:
                pass  # it could not flush in that time; its thread is a daemon and goes with the process

    def _value(self, event_type: EventType, record: Record) -> bytes:
        value = encode(event_type, record)
        if self._registry is None:
            return value
        schema_id = self._registry.register(self._names.in_kafka(event_type.topic), event_type.schema)
        return frame(schema_id, value[_SINGLE_OBJECT_HEADER:])

    def _settle(self, down_to: int, bytes_down_to: int) -> None:
        """Count acknowledged events, oldest first, waiting until no more than these are left."""
        waiting = self.in_flight
        while waiting:
            sent = waiting[0]
            if not sent.future.is_done:
                if len(waiting) <= down_to and self.bytes_in_flight <= bytes_down_to:
                    return
                _wait_for(sent.future, self._timeout_seconds)
            if not sent.future.succeeded():
                error = sent.future.exception or TimeoutError(f"no answer in {self._timeout_seconds:g} s")
                raise self._fail(sent.topic, sent.key, sent.event_type, sent.event_id, error) from error
            self._count(waiting.popleft())

    def _count(self, sent: _Sent) -> None:
        self.bytes_in_flight -= sent.size
        self._report.acked += 1
        self._report.by_type[sent.event_type] += 1

    def _fail(
        self, topic: str, key: str, event_type: str, event_id: str, error: Exception
    ) -> DeliveryFailure:
        """Wait for the events in flight, count them, and return the first failure."""
        deadline = monotonic() + self._timeout_seconds
        for sent in self.in_flight:
            _wait_for(sent.future, max(0.0, deadline - monotonic()))
            if sent.future.succeeded():
                self._count(sent)
        self.in_flight.clear()
        acked = self._report.acked
        self._failure = DeliveryFailure(
            f"Kafka did not take {event_type} {event_id}",
            where=f"topic {topic}, key {key}",
            why=f"{type(error).__name__}: {error}; {acked:,} of {self._taken:,} events were acknowledged",
            next_command="baton doctor   (then publish the same events again; nothing counts twice)",
            report=PublishReport(acked, Counter(self._report.by_type)),
        )
        return self._failure

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


class DeliveryFailure(BatonError):
    """Kafka did not acknowledge an event; `report` counts those it did. Publishing again is safe."""

    def __init__(self, what: str, *, where: str, why: str, next_command: str, report: PublishReport) -> None:
        super().__init__(
            what, where=where, why=why, next_command=next_command, exit_code=ExitCode.UNREACHABLE
        )
        self.report = report


def _open_producer(where: Project | str, delivery_timeout_seconds: float) -> KafkaProducer:
    settings = connection(where)
    timeout_ms = int(delivery_timeout_seconds * 1000)
    try:
        return KafkaProducer(
            **settings,
            client_id="baton-publisher",
            acks="all",
            enable_idempotence=True,
            compression_type=COMPRESSION,
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            delivery_timeout_ms=timeout_ms,
            request_timeout_ms=max(min(20_000, timeout_ms - LINGER_MS - 1), 1),
            max_block_ms=timeout_ms,
            bootstrap_timeout_ms=min(10_000, timeout_ms),
            allow_auto_create_topics=False,
            partitioner=_ByKey(),
            metrics_enabled=False,
        )
    except (KafkaError, OSError) as error:
        raise unreachable(settings["bootstrap_servers"], str(error)) from error


class _ByKey(Partitioner):  # type: ignore[misc]
    """Kafka's own choice of partition for a key, without sorting the partition list for each event."""

    def partition(
        self, topic: str, key: Any, serialized_key: bytes, value: Any, serialized_value: bytes, cluster: Any
    ) -> int:
        return int((murmur2(serialized_key) & 0x7FFFFFFF) % len(cluster.partitions_for_topic(topic)))


def _wait_for(future: FutureRecordMetadata, timeout_seconds: float) -> None:
    """Wait until a future is done, successful or not; the caller checks which."""
    try:
        future.get(timeout=timeout_seconds)
    except (KafkaError, OSError):
        pass
