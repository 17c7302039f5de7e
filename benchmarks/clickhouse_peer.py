"""The peer: embedded ClickHouse (chdb), fed the same batches as Baton's warehouse.

It does the same work on the same cores: a MergeTree table for each event type. It does without what it does
not support: offsets in the same transaction as the rows, atomic commits across tables, and a flush to disk
that survives a power cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.case import Bench, Case, Figure, Target
from schemas.avro_types import column_type
from schemas.catalogue import CATALOGUE, EventType

METHOD = (
    "Embedded ClickHouse (chdb) takes the place of the warehouse behind the same sink: the same "
    "fetching, decoding and batches, one MergeTree table for each event type, one insert for each type "
    "of a batch. It keeps no offsets, its tables do not change together, and nothing it wrote is forced to "
    "disk: it does less than Baton does, so the ratio is not in Baton's favour."
)

SETTINGS = ("optimize_on_insert = 0",)  # a batch is inserted as it is; merging is left to the background
# Columns with few distinct values: LowCardinality.
FEW_VALUES = frozenset(
    "source team from_team to_team from_owner to_owner owner channel activity reason reason_code currency"
    " stage disposition acknowledged_by region industry outcome category status segment plan".split()
)
SORTED_BY = ("handoff_id", "lead_id", "opportunity_id", "account_id")


def measure(bench: Bench) -> Case:
    """Baton against the peer."""
    if "clickhouse" not in bench.rounds:
        note = "not measured: chdb is not installed (pip install -r requirements-bench.lock)"
        return Case("clickhouse", METHOD, notes=(note,))
    rows = bench.rounds["clickhouse"][-1]["rows"]
    held = ", ".join(f"{count:,} of {name}" for name, count in rows.items())
    figure = Figure(
        "ingestion, against ClickHouse",
        "events/s",
        bench.rates("warehouse"),
        "chdb, same batches",
        bench.rates("clickhouse"),
        Target(">", 1),
    )
    return Case("clickhouse", METHOD, (figure,), (f"ClickHouse held in the end: {held}",), rows)


class ClickHouse:
    """One embedded database in its own folder. Not safe to open twice in one process."""

    def __init__(self, folder: Path) -> None:
        from chdb import session

        self._ask: Any = session.Session(str(folder)).query
        for setting in SETTINGS:
            self._ask(f"set {setting}")
        self._ask("create database log")
        for event in CATALOGUE.facts:
            self._ask(_log_table(event))

    def insert(self, facts: Mapping[str, pl.DataFrame]) -> None:
        """One insert for each event type of a batch."""
        for name, frame in facts.items():
            table = CATALOGUE.event_types[name].table
            batch = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            columns = ", ".join(batch.column_names)
            self._ask(f"insert into log.{table} ({columns}) select {columns} from Python(batch)")

    def rows(self) -> dict[str, int]:
        """Events stored, to show that it did the work."""
        events = " union all ".join(f"select count() as n from log.{e.table}" for e in CATALOGUE.facts)
        return {"event": int(str(self._ask(f"select sum(n) from ({events})")))}


def _log_table(event: EventType) -> str:
    columns = [_column(field["name"], field["type"]) for field in event.fields]
    columns += ["kafka_partition Int32", "kafka_offset Int64"]
    required = [field["name"] for field in event.fields if not isinstance(field["type"], list)]
    order = next((name for name in SORTED_BY if name in required), "event_id")
    listed = ", ".join(columns)
    return f"create table log.{event.table} ({listed}) engine = MergeTree order by ({order}, occurred_at)"


def _column(name: str, avro: Any) -> str:
    is_nullable = isinstance(avro, list)
    kind = column_type(avro)
    if isinstance(kind, pl.Decimal):
        typed = f"Decimal({kind.precision}, {kind.scale})"
    elif isinstance(kind, pl.Datetime):
        typed = "DateTime64(6, 'UTC')"
    elif isinstance(kind, pl.List):
        typed = "Array(Tuple(name String, value String))"
    else:
        typed = _PLAIN[str(kind)]
    if is_nullable:
        typed = f"Nullable({typed})"
    return f"{name} LowCardinality({typed})" if name in FEW_VALUES else f"{name} {typed}"


_PLAIN = {
    "String": "String",
    "Boolean": "Bool",
    "Int32": "Int32",
    "Int64": "Int64",
    "Float64": "Float64",
    "Date": "Date32",
}
