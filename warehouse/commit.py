"""One batch, one transaction: facts, merged records, failed events and offsets together, or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import duckdb
import polars as pl
import pyarrow as pa

from schemas.avro_types import column_type
from schemas.catalogue import CATALOGUE, DEAD_LETTER_TOPIC, EventType
from schemas.codec import WITHHELD
from warehouse.authority import AGREEMENT_FACTS
from warehouse.record_identity import MERGE_FACTS, refresh_identity
from warehouse.scope import EVERYTHING, Scope

# What to do when Kafka lost events for good. A new file alone would lose what only the old one has.
LOST_LOG_NEXT = (
    "baton repair --log-lost-events   (keeps what was read; first choice: restore the topic from a backup)"
)
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

_TO_DEAD_LETTER = f"""
insert into warehouse.outbox by name
select
    concat_ws('/', 'failed', topic, kafka_partition, kafka_offset) as message_id,
    '{DEAD_LETTER_TOPIC}' as topic, key, value,
    false as is_sent,
    json_object('baton_topic', topic, 'baton_partition', kafka_partition::varchar,
                'baton_offset', kafka_offset::varchar, 'baton_stage', stage, 'baton_reason', reason,
                'baton_event_type', event_type) as headers
from failed_in_batch
-- What the registry withholds is tried again first; a batch that settles it has given up.
where stage <> '{WITHHELD}' or (topic, kafka_partition, kafka_offset) in (from settled_in_batch)
"""
# Elsewhere only the withheld that are given up are noted, for withheld.py to know.
_NOTE_GIVEN_UP = f"""
insert into warehouse.outbox by name
select concat_ws('/', 'failed', topic, kafka_partition, kafka_offset) as message_id,
    '{DEAD_LETTER_TOPIC}' as topic, true as is_sent, '{{}}' as headers
from failed_in_batch
where stage = '{WITHHELD}' and (topic, kafka_partition, kafka_offset) in (from settled_in_batch)
"""
_SETTLED = pa.schema([("topic", pa.string()), ("kafka_partition", pa.int32()), ("kafka_offset", pa.int64())])


@dataclass(frozen=True)
class Mark:
    """A record that was read, by which to recognise the log: its offset, Kafka timestamp, and a hash."""

    offset: int
    written_ms: int
    content: str


@dataclass
class Batch:
    """What one transaction writes.

    facts: event name -> frame with the event's columns, kafka_partition and kafka_offset.
    failed: a table with FAILED_COLUMNS. offsets: (topic, partition) -> (next offset, records read).
    marks: (topic, partition) -> a record that replaces the partition's mark.
    settled: (topic, partition, offset) of failed events that are read again, and here what became of them.
    """

    facts: Mapping[str, pl.DataFrame]
    failed: pa.Table = field(default_factory=lambda: FAILED_COLUMNS.empty_table())
    offsets: Mapping[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    marks: Mapping[tuple[str, int], Mark] = field(default_factory=dict)
    settled: Sequence[tuple[str, int, int]] = ()

    @property
    def records(self) -> int:
        return sum(records for _, records in self.offsets.values())


_ADVANCE = """
merge into warehouse.next_offset as stored
using {reached} as reached
on stored.topic = reached.topic and stored.kafka_partition = reached.kafka_partition
when matched then update set next_offset = reached.next_offset, records = stored.records + reached.records
when not matched then insert
    values (reached.topic, reached.kafka_partition, reached.next_offset, reached.records)
"""
_REACHED = "reached"
_REACHED_COLUMNS: Mapping[str, pl.DataType] = {
    "topic": pl.String(),
    "kafka_partition": pl.Int32(),
    "next_offset": pl.Int64(),
    "records": pl.Int64(),
}
_COMMITTERS = count()


class _Slot:
    """Stands in SQL for rows of the batch at hand; empty between batches.

    DuckDB asks it for the rows whenever a statement runs, so statements over it are planned once. And rows
    are no parameters: for each value of one the client tries to import pandas, which is not here.
    """

    def __init__(self, columns: Mapping[str, pl.DataType]) -> None:
        self.columns = tuple(columns)
        self.empty = pl.DataFrame(schema=columns)
        self.frame = self.empty

    @classmethod
    def of_event(cls, event: EventType) -> _Slot:
        """For an event type's rows with their places."""
        columns: dict[str, pl.DataType] = {f["name"]: column_type(f["type"]) for f in event.fields}
        return cls(columns | {"kafka_partition": pl.Int32(), "kafka_offset": pl.Int64()})

    def put(self, frame: pl.DataFrame) -> None:
        """The rows from now on. Raises ValueError unless their columns are the slot's, in its order:
        a plan reads by position."""
        if frame.schema != self.empty.schema:
            raise ValueError(f"columns {frame.schema} are not those of the slot: {self.empty.schema}")
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


class Committer:
    """Writes batches through one connection. Order and cut of batches never change what is read back.

    Planning a statement costs more than running it over a small batch, and a batch needs one for each
    event type: each is planned once, when first needed.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        on_agreement: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
        scope: Scope = EVERYTHING,
    ) -> None:
        """`on_agreement` is called inside the transaction of a batch that holds a word on playbooks. `scope`:
        of facts outside of it only the offsets are kept."""
        self.connection = connection
        self.scope = scope
        self.on_agreement = on_agreement
        # Slots and plans belong to the connection, and one connection may see several committers.
        self._number = next(_COMMITTERS)
        self._slots: dict[str, _Slot] = {}
        self._prepared: set[str] = set()
        self._reached = self._registered(_REACHED, _Slot(_REACHED_COLUMNS))

    def commit(self, batch: Batch) -> None:
        """The whole procedure. Any error rolls everything back and is raised: the caller must stop."""
        execute = self.connection.execute
        frames = {CATALOGUE.event_types[name].table: frame for name, frame in sorted(batch.facts.items())}
        present = {table: frame for table, frame in frames.items() if table in self.scope.tables}
        for table in present:
            self._prepare_facts(table)
        for table, frame in present.items():
            self._slots[table].put(frame)
        execute("begin")
        try:
            # 1. facts, as they came
            for table in present:
                execute(f"execute facts_{self._number}_{table}")
            # 2. which record a merged one counts as, when these facts merge any
            if present.keys() & MERGE_FACTS:
                refresh_identity(self.connection)
            # 3. the playbook in force, when these facts have a word in it
            if self.on_agreement and present.keys() & AGREEMENT_FACTS:
                self.on_agreement(self.connection)
            # 4. what could not be understood, with its bytes, here and on its way to the dead-letter topic
            if batch.failed.num_rows or batch.settled:
                self._keep_failed(batch)
            # 5. where to read on
            if batch.offsets:
                self._advance_offsets(batch.offsets)
            for place, mark in batch.marks.items():
                execute("delete from warehouse.mark where topic = ? and kafka_partition = ?", place)
                row = (*place, mark.offset, mark.written_ms, mark.content)
                execute("insert into warehouse.mark values (?, ?, ?, ?, ?)", row)
            # 6. all of it, or nothing
            execute("commit")
        except BaseException:
            self._roll_back()
            raise
        finally:
            for slot in (*self._slots.values(), self._reached):
                slot.frame = slot.empty

    def _keep_failed(self, batch: Batch) -> None:
        columns = list(zip(*batch.settled, strict=True)) or [()] * len(_SETTLED)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _SETTLED.types, strict=True)]
        self.connection.register("settled_in_batch", pa.table(arrays, _SETTLED))
        self.connection.register("failed_in_batch", batch.failed)
        if batch.settled:
            self.connection.execute(
                "delete from warehouse.failed_event"
                " where (topic, kafka_partition, kafka_offset) in (from settled_in_batch)"
            )
        self.connection.execute("insert into warehouse.failed_event by name from failed_in_batch")
        self.connection.execute(_TO_DEAD_LETTER if self.scope.is_sending else _NOTE_GIVEN_UP)
        self.connection.unregister("failed_in_batch")
        self.connection.unregister("settled_in_batch")

    def _prepare_facts(self, table: str) -> None:
        name = f"facts_{self._number}_{table}"
        if name not in self._prepared:
            columns = ", ".join(self._slot(table).columns)
            insert = f"insert into log.{table} ({columns}) select {columns} from {self._batch_table(table)}"
            self.connection.execute(f"prepare {name} as {insert}")
            self._prepared.add(name)

    def _slot(self, table: str) -> _Slot:
        if table not in self._slots:
            event = next(e for e in CATALOGUE.event_types.values() if e.table == table)
            self._slots[table] = self._registered(table, _Slot.of_event(event))
        return self._slots[table]

    def _registered(self, table: str, slot: _Slot) -> _Slot:
        self.connection.register(self._batch_table(table), slot)
        return slot

    def _batch_table(self, table: str) -> str:
        return f"batch_{self._number}_{table}"

    def _advance_offsets(self, offsets: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        rows = [(*place, *reached) for place, reached in offsets.items()]
        self._reached.put(pl.DataFrame(rows, self._reached.empty.schema, orient="row"))
        self.connection.execute(
            _ADVANCE.format(reached=self._batch_table(_REACHED))
        )  # a merge is not prepared

    def _roll_back(self) -> None:
        try:
            self.connection.execute("rollback")
        except duckdb.Error:
            pass  # the first error says what happened; a lost transaction is already rolled back


def failed_table(rows: Iterable[tuple[object, ...]]) -> pa.Table:
    """Rows in the order of FAILED_COLUMNS as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(FAILED_COLUMNS)
    return pa.table(
        [pa.array(c, t) for c, t in zip(columns, FAILED_COLUMNS.types, strict=True)], FAILED_COLUMNS
    )
