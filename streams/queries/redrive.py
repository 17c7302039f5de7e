"""Redriving failed records: their original bytes, to their topic, once the contract can read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import polars as pl
from kafka import KafkaProducer

from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import ROW, decode
from schemas.errors import BatonError, ExitCode
from streams.kafka.headers import REDRIVEN_FROM, encoded
from streams.kafka.names import names_of
from streams.kafka.registry import registry_lookup
from streams.project import Project
from streams.queries.failed_events import failed_with_dismissal
from streams.queries.warehouse_access import Ask, asking

PAGE_RECORDS = 5_000
PAGE_BYTES = 8 << 20
MOST_STATEMENT_BYTES = 500_000
# Runs of offsets that hold a page of failed records each.
_PAGES = f"""
select topic, kafka_partition, min(kafka_offset), max(kafka_offset) from (
    select topic, kafka_partition, kafka_offset,
        row_number() over in_order // {PAGE_RECORDS} as by_records,
        sum(bytes) over in_order // {PAGE_BYTES} as by_bytes
    from with_dismissal where dismissed_because is null
    window in_order as (partition by topic, kafka_partition order by kafka_offset))
group by topic, kafka_partition, by_records, by_bytes order by all
"""


@dataclass(frozen=True)
class RedriveReport:
    """sent: readable now (sent unless it is a dry run). unreadable: still not. known: already stored."""

    sent: int
    unreadable: int
    known: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def redrive(project: Project, *, is_dry_run: bool = False) -> RedriveReport:
    """Send every failed record that now decodes and is neither stored nor dismissed. Returns once Kafka has
    them. A page at a time, so that memory does not depend on how many have failed."""
    lookup = registry_lookup(project)
    sent = unreadable = known = 0
    with asking(project) as ask, _sending(project) as send:
        for topic, partition, first, last in ask(f"{failed_with_dismissal(project)} {_PAGES}")[1]:
            page = (
                f"topic = {sql_literal(topic)} and kafka_partition = {partition}"
                f" and kafka_offset between {first} and {last}"
            )
            _, records = ask(
                f"{failed_with_dismissal(project, page)}"
                " select topic, kafka_partition, kafka_offset, key, value"
                " from with_dismissal where dismissed_because is null"
            )
            decoded = decode([value for *_, value in records], CATALOGUE, lookup)
            readable: list[int] = []
            stored = 0
            for name, frame in decoded.frames.items():
                event = CATALOGUE.event_types[name]
                if event.topic != topic:
                    continue  # on the wrong topic: it would fail again
                ids = _stored(ask, event, frame["event_id"].to_list())
                new = frame.filter(~pl.col("event_id").is_in(ids))
                stored += frame.height - new.height
                readable += new[ROW].to_list()
            if readable and not is_dry_run:
                send([records[row] for row in readable])
            sent += len(readable)
            known += stored
            unreadable += len(records) - len(readable) - stored
    return RedriveReport(sent, unreadable, known)


def _stored(ask: Ask, event: EventType, event_ids: Sequence[str]) -> list[str]:
    """Which of these events are facts already. As many in a statement as it may be long, and as one text:
    thousands of literals would take a second to parse."""
    found: list[str] = []
    waiting = list(event_ids)
    while waiting:
        lengths = accumulate(len(json.dumps(event_id)) + 2 for event_id in waiting)
        count = max(1, sum(length < MOST_STATEMENT_BYTES for length in lengths))
        among, waiting = sql_literal(json.dumps(waiting[:count])), waiting[count:]
        _, rows = ask(
            f"select distinct event_id from log.{event.table}"
            f" where event_id in (select unnest(from_json({among}, '[\"varchar\"]')))"
        )
        found += [event_id for (event_id,) in rows]
    return found


@contextmanager
def _sending(project: Project) -> Iterator[Callable[[Sequence[tuple[Any, ...]]], None]]:
    """A function that sends records and returns once Kafka has them."""
    names = names_of(project)
    producer: KafkaProducer | None = None

    def send(records: Sequence[tuple[Any, ...]]) -> None:
        nonlocal producer
        try:
            if producer is None:
                producer = KafkaProducer(**project.client_settings(), enable_idempotence=True, acks="all")
            sent = [
                producer.send(
                    names.in_kafka(topic),
                    value,
                    key,
                    headers=encoded({REDRIVEN_FROM: f"{topic}/{partition}/{offset}"}),
                )
                for topic, partition, offset, key, value in records
            ]
            producer.flush(timeout=60)
            for future in sent:
                future.get(timeout=1)
        except Exception as error:  # kafka-python raises many kinds; each means Kafka does not have it
            raise BatonError(
                "Not all records could be sent again",
                where=project.bootstrap(),
                why=f"{type(error).__name__}: {error}",
                next_command="baton failed redrive   (safe to run again)",
                exit_code=ExitCode.UNREACHABLE,
            ) from error

    try:
        yield send
    finally:
        if producer is not None:
            producer.close(timeout=5)
