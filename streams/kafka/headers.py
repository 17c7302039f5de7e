"""Record headers: those of a CloudEvent, and those that say why a record is a dead letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from schemas.catalogue import EventType
from schemas.codec import Failure

# On a record that was sent again: topic/partition/offset of the failed one.
REDRIVEN_FROM = "baton_redriven_from"


class Place(Protocol):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


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


def dead_letter_headers(place: Place, failure: Failure) -> dict[str, str | None]:
    """Where an unreadable record lies, and why it cannot be read."""
    return {
        "baton_topic": place.topic,
        "baton_partition": str(place.partition),
        "baton_offset": str(place.offset),
        "baton_stage": failure.stage,
        "baton_reason": failure.reason,
        "baton_event_type": failure.event_type,
    }


def encoded(headers: Mapping[str, str | None]) -> list[tuple[str, bytes]]:
    """Headers as clients take them; one without a value is left out."""
    return [(name, value.encode()) for name, value in headers.items() if value is not None]


def encoded_cloud_event_headers(event_type: EventType, record: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """cloud_event_headers() as clients take them."""
    return encoded(cloud_event_headers(event_type, record))
