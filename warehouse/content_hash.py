"""What a warehouse says, in one hash per table: equal hashes mean equal contents, whatever the order of rows.

The hash of a table is the sum of its rows' 64-bit hashes, so it does not depend on order, and it
counts a row as often as it stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import duckdb

from projections.projection import views
from projections.relations import selected
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from warehouse.layout import stored_tables

# More at a time plan and evaluate less twice, and need more memory.
VIEWS_AT_A_TIME = 32


@dataclass(frozen=True)
class TableHash:
    """Rows of a table and the hash of their content."""

    rows: int
    content: str


@dataclass(frozen=True)
class RecordCounts:
    """What became of every record of the log: total = good + failed + duplicate."""

    good: int
    failed: int
    duplicate: int
    total: int

    @property
    def add_up(self) -> bool:
        return self.good + self.failed + self.duplicate == self.total


@cache
def hash_groups() -> tuple[tuple[str, ...], ...]:
    """The names of all tables, in groups that are hashed together: read models, facts, then views in an order
    in which neighbours share what they read. Sliced views are left out: they count what others hold by lead.
    """
    names = [view.relation for view in views() if not view.is_sliced]
    return (
        tuple(stored_tables().values()),
        tuple(f"facts.{event.table}" for event in CATALOGUE.facts),
        *(tuple(names[start : start + VIEWS_AT_A_TIME]) for start in range(0, len(names), VIEWS_AT_A_TIME)),
    )


def hashes_sql(as_of: datetime, names: Sequence[str]) -> str:
    """One SELECT that hashes these facts and views at `as_of`: (name, rows, hash).

    One statement, so that all of it is one snapshot even while a worker writes.
    """
    hashed = [
        f"select '{name}' as name, count(*) as rows, coalesce(sum(hash(t)::hugeint), 0)::varchar as content"
        f" from {name} as t"
        for name in names
    ]
    # The installed views read their own as_of; here each view reads the others at the same instant.
    return selected(names, sql_literal(as_of), " union all ".join(hashed), inline=("funnel", "resolved"))


def record_counts_sql() -> str:
    """One SELECT: (good, failed, duplicate, total) of all records read so far."""
    good = " + ".join(f"(select count(distinct event_id) from log.{e.table})" for e in CATALOGUE.facts)
    readable = " + ".join(f"(select count(*) from log.{e.table})" for e in CATALOGUE.facts)
    return (
        f"select good, failed, readable - good as duplicate, total from (select {good} as good,"
        f" {readable} as readable, (select count(*) from warehouse.failed_event) as failed,"
        " (select coalesce(sum(records), 0)::bigint from warehouse.next_offset) as total)"
    )


def hashes(
    connection: duckdb.DuckDBPyConnection, as_of: datetime, names: Sequence[str]
) -> dict[str, TableHash]:
    """The hash of each of these tables, by name, in one statement."""
    rows = connection.execute(hashes_sql(as_of, names)).fetchall()
    return {name: TableHash(count, content) for name, count, content in rows}


def record_counts(connection: duckdb.DuckDBPyConnection) -> RecordCounts:
    """What became of every record read so far."""
    return RecordCounts(*connection.execute(record_counts_sql()).fetchall()[0])
