"""The event catalogue: every published version of every event, read from the .avsc files once.

A file `events/<topic>/<Name>.v<N>.avsc` is version N of event Name. The record's own attributes
say where it travels (`topic`) and which field its Kafka key is (`key`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from schemas.errors import BatonError, ExitCode

EVENTS_FOLDER = Path(__file__).parent / "events"
ENVELOPE = ("event_id", "occurred_at", "recorded_at", "source")
DEAD_LETTER_TOPIC = "funnel.dead-letter"
DERIVED_TOPIC = "funnel.handoff-latency"

Schema = dict[str, Any]


@dataclass(frozen=True)
class EventVersion:
    """One published version of an event: its writer schema and how it is recognised on the wire."""

    name: str
    version: int
    schema: Schema = field(repr=False, hash=False)
    path: Path = field(repr=False)

    @property
    def fields(self) -> list[dict[str, Any]]:
        fields: list[dict[str, Any]] = self.schema["fields"]
        return fields

    @property
    def key(self) -> str:
        return str(self.schema["key"])

    @cached_property
    def fingerprint(self) -> bytes:
        """CRC-64-AVRO of the parsing canonical form, little endian as in Avro's single-object encoding."""
        canonical = to_parsing_canonical_form(self.schema)
        return bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


@dataclass(frozen=True)
class EventType:
    """An event of the catalogue, by its newest version; `versions` holds all of them, oldest first."""

    name: str
    versions: tuple[EventVersion, ...]

    @property
    def newest(self) -> EventVersion:
        return self.versions[-1]

    @property
    def version(self) -> int:
        return self.newest.version

    @property
    def schema(self) -> Schema:
        return self.newest.schema

    @property
    def fingerprint(self) -> bytes:
        return self.newest.fingerprint

    @property
    def topic(self) -> str:
        return str(self.schema["topic"])

    @property
    def key(self) -> str:
        return self.newest.key

    @property
    def fields(self) -> list[dict[str, Any]]:
        return self.newest.fields

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """What a field says when a source says nothing; those without a default are not in it."""
        return {field["name"]: field["default"] for field in self.fields if "default" in field}

    @cached_property
    def table(self) -> str:
        """Name of its tables in the warehouse: HandoffOffered -> handoff_offered."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()

    @cached_property
    def parsed(self) -> Schema:
        """The newest schema as fastavro wants it."""
        return dict(parse_schema(self.schema))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Catalogue:
    """All events, found by name or by the fingerprint of any published version."""

    event_types: Mapping[str, EventType]

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Every topic that carries events of the contract, in a fixed order."""
        return tuple(sorted({event.topic for event in self.event_types.values()}))

    @cached_property
    def by_fingerprint(self) -> Mapping[bytes, tuple[EventType, EventVersion]]:
        """Versions that differ in words and defaults only are one on the wire: the newest of them stands."""
        return {
            version.fingerprint: (event, version)
            for event in self.event_types.values()
            for version in event.versions
        }

    @cached_property
    def facts(self) -> tuple[EventType, ...]:
        """The events the warehouse stores: all but the derived measurements, which it makes itself."""
        return tuple(e for _, e in sorted(self.event_types.items()) if e.topic != DERIVED_TOPIC)

    @cached_property
    def fact_topics(self) -> tuple[str, ...]:
        """The topics the sink reads."""
        return tuple(topic for topic in self.topics if topic != DERIVED_TOPIC)


def read_catalogue(folder: Path = EVENTS_FOLDER) -> Catalogue:
    """Read all .avsc files of a folder. A file that is not JSON, or misnamed, is a BatonError."""
    versions: dict[str, list[EventVersion]] = {}
    for path in sorted(folder.glob("*/*.avsc")):
        named = re.fullmatch(r"([A-Z]\w*)\.v(\d+)\.avsc", path.name)
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _unreadable(path, f"it is not JSON: {error}") from error
        if named is None or named[1] != schema.get("name"):
            raise _unreadable(path, "its name must be <record name>.v<number>.avsc")
        versions.setdefault(named[1], []).append(EventVersion(named[1], int(named[2]), schema, path))
    return Catalogue(
        {
            name: EventType(name, tuple(sorted(found, key=lambda v: v.version)))
            for name, found in sorted(versions.items())
        }
    )


def _unreadable(path: Path, why: str) -> BatonError:
    return BatonError(
        "An event schema cannot be read",
        where=str(path),
        why=why,
        next_command="baton contract check",
        exit_code=ExitCode.CONFIGURATION,
    )


CATALOGUE = read_catalogue()
