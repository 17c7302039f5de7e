"""Redriving failed records: their original bytes, to their topic, once the contract can read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from kafka import KafkaProducer

from schemas.catalogue import CATALOGUE
from schemas.codec import decode
from schemas.errors import BatonError, ExitCode
from streams.kafka.headers import REDRIVEN_FROM, encoded
from streams.kafka.names import names_of
from streams.kafka.registry import registry_lookup
from streams.project import Project
from streams.queries.failed_events import dismissed_places
from streams.queries.warehouse_access import ask_warehouse


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
    them."""
    _, failed = ask_warehouse(
        project, "select topic, kafka_partition, kafka_offset, key, value from funnel.failed_events"
    )
    dismissed = dismissed_places(project)
    failed = [row for row in failed if "/".join(map(str, row[:3])) not in dismissed]
    decoded = decode([value for *_, value in failed], CATALOGUE, registry_lookup(project))
    readable: list[int] = []
    known = 0
    for name, frame in decoded.frames.items():
        event = CATALOGUE.event_types[name]
        _, stored = ask_warehouse(project, f"select distinct event_id from facts.{event.table}")
        ids = {row[0] for row in stored}
        for row, event_id in frame.select("_row", "event_id").iter_rows():
            if failed[row][0] != event.topic:
                continue  # on the wrong topic: it would fail again
            known += event_id in ids
            readable += [] if event_id in ids else [row]
    if readable and not is_dry_run:
        _send(project, [failed[row] for row in readable])
    return RedriveReport(len(readable), len(failed) - len(readable) - known, known)


def _send(project: Project, records: list[tuple[str, int, int, bytes | None, bytes]]) -> None:
    names = names_of(project)
    producer = KafkaProducer(**project.client_settings(), enable_idempotence=True, acks="all")
    try:
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
    finally:
        producer.close(timeout=5)
