"""One batch, one transaction: facts, partial states, failed events and offsets together, or none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import polars as pl
import pyarrow as pa

from projections.projection import Projection, states
from schemas.catalogue import CATALOGUE, DEAD_LETTER_TOPIC, EventType

FAILED_COLUMNS = pa.schema(
    [
        ("topic", pa.string()),
        ("kafka_partition", pa.int32()),
        ("kafka_offset", pa.int64()),
        ("kafka_at", pa.timestamp("us", "UTC")),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("event_type", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
    ]
)

_TO_DEAD_LETTER = """
insert into warehouse.outbox by name
select
    concat_ws('/', 'failed', topic, kafka_partition, kafka_offset) as message_id,
    -- A record needs a key or a value to be sent at all; one that came with neither gets an empty key.
    $dead_letter_topic as topic, coalesce(key, case when value is null then ''::blob end) as key, value,
    false as is_sent,
    json_object('baton_topic', topic, 'baton_partition', kafka_partition::varchar,
                'baton_offset', kafka_offset::varchar, 'baton_stage', stage, 'baton_reason', reason,
                'baton_event_type', event_type) as headers
from failed_in_batch
"""


@dataclass
class Batch:
    """What one transaction writes.

    facts: event name -> frame with the event's columns, kafka_partition and kafka_offset.
    failed: a table with FAILED_COLUMNS. offsets: (topic, partition) -> (next offset, records read).
    """

    facts: Mapping[str, pl.DataFrame]
    failed: pa.Table = field(default_factory=lambda: FAILED_COLUMNS.empty_table())
    offsets: Mapping[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return sum(records for _, records in self.offsets.values())


class Committer:
    """Writes batches through one connection. Order and cut of batches never change what is read back."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, projections: Sequence[Projection] | None = None
    ) -> None:
        """`projections` defaults to all states; an empty sequence is append-only (the benchmark's limit)."""
        self.connection = connection
        self.projections = states() if projections is None else projections

    def commit(self, batch: Batch) -> None:
        """The whole procedure. Any error rolls everything back and is raised: the caller must stop."""
        execute = self.connection.execute
        present = self._register(batch)
        execute("begin")
        try:
            # 1. facts, as they came
            for event in present:
                execute(f"insert into log.{event.table} by name from {_batch_table(event.table)}")
            # 2. partial states of exactly these facts
            for projection in self.projections:
                self._append_partial(projection, {event.table for event in present})
            # 3. what could not be understood, with its bytes, here and on its way to the dead-letter topic
            if batch.failed.num_rows:
                self.connection.register("failed_in_batch", batch.failed)
                execute("insert into warehouse.failed_event by name from failed_in_batch")
                execute(_TO_DEAD_LETTER, {"dead_letter_topic": DEAD_LETTER_TOPIC})
            # 4. where to read on
            self._advance_offsets(batch.offsets)
            # 5. all of it, or nothing
            execute("commit")
        except BaseException:
            self._roll_back()
            raise
        finally:
            for event in present:
                self.connection.unregister(_batch_table(event.table))

    def _register(self, batch: Batch) -> list[EventType]:
        present = [CATALOGUE.event_types[name] for name in sorted(batch.facts)]
        for event in present:
            self.connection.register(_batch_table(event.table), batch.facts[event.name].to_arrow())
        return present

    def _append_partial(self, projection: Projection, present: set[str]) -> None:
        if present.intersection(projection.fact_tables):
            # No rows of the table itself, but all its columns: absent facts leave theirs null.
            columns = f"select * from partial.{projection.name} limit 0"
            lifted = projection.lifted(_batch_table, present)
            rows = projection.merged(f"(({columns}) union all by name {lifted})")
            self.connection.execute(f"insert into partial.{projection.name} by name {rows}")

    def _advance_offsets(self, offsets: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        for (topic, partition), (next_offset, records) in offsets.items():
            moved = self.connection.execute(
                "update warehouse.next_offset set next_offset = $next, records = records + $records"
                " where topic = $topic and kafka_partition = $partition",
                {"next": next_offset, "records": records, "topic": topic, "partition": partition},
            ).fetchone()
            if moved == (0,):
                self.connection.execute(
                    "insert into warehouse.next_offset values (?, ?, ?, ?)",
                    [topic, partition, next_offset, records],
                )

    def _roll_back(self) -> None:
        try:
            self.connection.execute("rollback")
        except duckdb.Error:
            pass  # the first error says what happened; a lost transaction is already rolled back


def _batch_table(table: str) -> str:
    return f"batch_{table}"


def failed_table(rows: Iterable[tuple[object, ...]]) -> pa.Table:
    """Rows in the order of FAILED_COLUMNS as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(FAILED_COLUMNS)
    return pa.table(
        [pa.array(c, t) for c, t in zip(columns, FAILED_COLUMNS.types, strict=True)], FAILED_COLUMNS
    )
