"""The load of the benchmark: a simulated funnel as Kafka holds it, made once and read by every case.

Events are encoded, keyed, headed and compressed as the publisher does it. They are handed to Kafka a
record batch at a time, because one by one would measure the producer for minutes before anything else.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from schemas.errors import BatonError, ExitCode
from schemas.validation import EventReader
from streams.cli.output import progress, say
from streams.kafka.headers import cloud_event_headers
from streams.kafka.publisher import BATCH_BYTES, COMPRESSION
from streams.kafka.topics import EVENT_TOPICS, ensure_topics, log_extent
from streams.local.broker import start_broker, stop_broker
from streams.project import Project
from streams.simulator.simulation import Arrivals, Plan, chapters

EVENTS_PER_LEAD = 11.4  # what the simulator's stories come to; only the size of the load depends on it
SEED = 20260105
KAFKA_SETTING = "BATON_KAFKA_BENCH"

Extent = dict[tuple[str, int], tuple[int, int]]


class Encoded(NamedTuple):
    """An event as it goes to Kafka."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    event_type: str


@dataclass(frozen=True)
class Load:
    """What lies in Kafka: the offsets of every partition, and the mix. bytes counts values only."""

    project: Project
    extent: Extent
    events: int
    bytes: int
    by_type: dict[str, int]

    @property
    def bootstrap(self) -> str:
        return self.project.bootstrap()

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """Where each partition of the load ends; later cases may write behind it."""
        return {place: end for place, (_, end) in self.extent.items()}


def make_load(project: Project, events: int) -> Load:
    """Simulate about this many events and write them to the empty topics of a broker."""
    with progress() as bar:
        encoded = list(bar.track(encoded_events(events), events, description="simulate"))
        return produce(project, bar.track(encoded, description="to Kafka"))


def encoded_events(about: int, seed: int = SEED) -> Iterator[Encoded]:
    """About so many events of a simulation in order of arrival, copies included, as they go to Kafka."""
    reader = EventReader()

    def form(event: dict[str, Any]) -> Encoded:
        event_type, record = reader.read(event)
        key = str(record[event_type.key]).encode()
        named = cloud_event_headers(event_type, record)
        headers = [(name, text.encode()) for name, text in named.items() if text is not None]
        return Encoded(event_type.topic, key, encode(event_type, record), headers, event_type.name)

    arrivals = Arrivals(form)
    for chapter in chapters(Plan(seed, leads=max(1, round(about / EVENTS_PER_LEAD)))):
        arrivals.add(chapter)
    yield from arrivals.in_order()


@contextmanager
def broker(folder: Path) -> Iterator[Project]:
    """A real Kafka with empty topics: BATON_KAFKA_BENCH if set, else one of our own that goes at the end."""
    given = os.environ.get(KAFKA_SETTING)
    if given:
        project = Project(home=folder, cwd=folder, kafka=given)
        _require_empty(project)
        yield project
        return
    project = Project(home=folder / "broker", cwd=folder)
    try:
        start_broker(project, say)
        ensure_topics(project)
        yield project
    finally:
        stop_broker(project)


def _require_empty(project: Project) -> None:
    """The sink reads fixed topics, so a broker that already holds events would be measured with them."""
    ensure_topics(project)
    held = sum(end - begin for begin, end in log_extent(project).values())
    if held:
        raise BatonError(
            "The broker to measure on already holds events",
            where=f"{KAFKA_SETTING}={project.kafka}",
            why=f"its funnel topics hold {held:,} records",
            next_command=f"unset {KAFKA_SETTING}   (the benchmark then starts a broker of its own)",
            exit_code=ExitCode.CONFIGURATION,
        )


def produce(project: Project, events: Iterable[Encoded]) -> Load:
    """Write events to their topics, acknowledged by the broker, the events of a key in one partition."""
    mix: Counter[str] = Counter()
    size = asyncio.run(_produce(project, events, mix))
    extent = log_extent(project, CATALOGUE.fact_topics)
    return Load(project, extent, sum(mix.values()), size, dict(mix.most_common()))


async def _produce(project: Project, events: Iterable[Encoded], mix: Counter[str]) -> int:
    size = 0
    open_batches: dict[tuple[str, int], Any] = {}
    sent: list[asyncio.Future[Any]] = []
    producer = AIOKafkaProducer(
        **project.client_settings(),
        acks="all",
        enable_idempotence=True,
        compression_type=COMPRESSION,
        max_batch_size=BATCH_BYTES,
    )
    await producer.start()
    try:
        for event in events:
            place = (event.topic, partition_of(event))
            batch = open_batches.get(place) or producer.create_batch()
            while (
                batch.append(timestamp=None, key=event.key, value=event.value, headers=event.headers) is None
            ):
                sent.append(await producer.send_batch(batch, place[0], partition=place[1]))
                batch = producer.create_batch()
            open_batches[place] = batch
            mix[event.event_type] += 1
            size += len(event.value)
        for (topic, partition), batch in open_batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return size


def partition_of(event: Encoded) -> int:
    """A partition by key. Not Kafka's own choice, which costs more in Python and would change nothing."""
    return zlib.crc32(event.key) % EVENT_TOPICS[event.topic]
