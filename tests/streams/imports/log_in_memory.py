"""A log and a warehouse in memory: what an import sends is committed as the worker of numbers would."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import ROW, decode, encode
from schemas.refused import read_refused, refused_value
from streams.imports.failed_rows import OpenFailures
from streams.imports.known_events import KnownInLog
from streams.imports.reading import assigned
from streams.imports.run import Import, Outcome
from streams.mapping.reader import parse_mapping
from tests.given import asked_anew, emptied, in_memory
from warehouse.commit import Batch, failed_table
from warehouse.warehouse import Warehouse

AS_OF = datetime(2027, 1, 1, tzinfo=UTC)


class LogInMemory:
    """Where an import goes in these tests: real encoding, decoding, facts and views, and no broker."""

    def __init__(self, warehouse: Warehouse | None = None) -> None:
        """`warehouse`: one to empty and use, as opening a new one takes longer than a law."""
        self.warehouse = emptied(warehouse) if warehouse else in_memory(read_playbook())
        self.settled: set[str] = set()
        self._values: list[bytes] = []
        self._at = 0

    def publish_record(self, event_type: EventType, record: dict[str, Any]) -> str:
        self._values.append(encode(event_type, record))
        return str(record["event_id"])

    def publish_refused(self, topic: str, refused_id: str, said: dict[str, Any]) -> None:
        self._values.append(refused_value(said))

    def answer(self, statement: str, seconds: float | None = None) -> AbstractContextManager[Any]:
        return nullcontext(self.warehouse.connection.sql(statement))

    def flush(self) -> None:
        decoded = decode(self._values, CATALOGUE)
        facts = {
            name: frame.with_columns(
                pl.lit(0, pl.Int32).alias("kafka_partition"), (pl.col(ROW) + self._at).alias("kafka_offset")
            ).drop(ROW)
            for name, frame in decoded.frames.items()
        }
        failed = failed_table(
            [
                (
                    "given",
                    0,
                    self._at + f.row,
                    None,
                    f.stage,
                    f.reason,
                    f.event_type,
                    None,
                    self._values[f.row],
                )
                for f in decoded.failures
            ]
        )
        offsets = {("given", 0): (self._at + len(self._values), len(self._values))}
        self.warehouse.committer().commit(Batch(facts, failed, offsets=offsets))
        self._at += len(self._values)
        self._values = []

    def open_failures(self, source: str) -> OpenFailures:
        rows = self.warehouse.connection.execute(
            "select topic || '/' || kafka_partition || '/' || kafka_offset, value from funnel.failed_events"
        ).fetchall()
        found = [(place, said) for place, value in rows if (said := read_refused(bytes(value)))]
        return OpenFailures(source, [each for each in found if each[0] not in self.settled])

    def take(self, mapping: str, *files: Path, recorded_at: datetime = AS_OF) -> Outcome:
        """Import files as the command does it."""
        rules = parse_mapping(mapping)
        importing = Import(rules, assigned(files, rules), clock=lambda: recorded_at)
        importing.look()
        with KnownInLog(self.answer, rules.source) as known:
            out = importing.send(self, known, self.open_failures(rules.source))
        self.settled |= set(out.settled)
        return out

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the views, as of AS_OF."""
        return asked_anew(self.warehouse, AS_OF, query).fetchall()

    def facts(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every fact, without where and when it was recorded, in an order of its own."""
        found = {}
        for event in CATALOGUE.facts:
            names = [f["name"] for f in event.fields if f["name"] != "recorded_at"]
            rows = self.warehouse.connection.execute(f"select {', '.join(names)} from facts.{event.table}")
            if kept := sorted(rows.fetchall(), key=repr):
                found[event.name] = kept
        return found


def trial(mapping: str, files: Sequence[Path], known: KnownInLog | None = None) -> Outcome:
    """What an import would do."""
    rules = parse_mapping(mapping)
    return Import(rules, assigned(files, rules), clock=lambda: AS_OF).look(known)
