"""What a warehouse says, in one hash per table: equal hashes mean equal contents, whatever the order of rows.

The hash of a table is the sum of its rows' 64-bit hashes, so it does not depend on order, and it
counts a row as often as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from projections.projection import states, views
from schemas.catalogue import CATALOGUE


@dataclass(frozen=True)
class TableHash:
    """Rows of a table and the hash of their content."""

    rows: int
    content: str


@dataclass(frozen=True)
class Books:
    """What became of every record of the log: total = good + failed + duplicate."""

    good: int
    failed: int
    duplicate: int
    total: int

    @property
    def add_up(self) -> bool:
        return self.good + self.failed + self.duplicate == self.total


def hashes_sql(as_of: datetime) -> str:
    """One SELECT that hashes every fact, state and view at `as_of`: (name, rows, hash).

    One statement, so that all of it is one snapshot even while a worker writes.
    """
    instant = f"timestamptz '{as_of.isoformat()}'"
    # The installed views read their own as_of; here each view reads the others at the same instant.
    named = [f"{_inlined(v.name)} as ({_over_inlined(v.evaluated(instant))})" for v in views()]
    sources = {f"facts.{event.table}": f"facts.{event.table}" for event in CATALOGUE.facts}
    sources |= {f"state.{state.name}": f"state.{state.name}" for state in states()}
    sources |= {f"funnel.{view.name}": _inlined(view.name) for view in views()}
    hashed = [
        f"select '{name}' as name, count(*) as rows, coalesce(sum(hash(t)::hugeint), 0)::varchar as content"
        f" from {source} as t"
        for name, source in sources.items()
    ]
    return f"with {', '.join(named)} {' union all '.join(hashed)}"


def books_sql() -> str:
    """One SELECT: (good, failed, duplicate, total) of all records read so far."""
    good = " + ".join(f"(select count(distinct event_id) from log.{e.table})" for e in CATALOGUE.facts)
    readable = " + ".join(f"(select count(*) from log.{e.table})" for e in CATALOGUE.facts)
    return (
        f"select good, failed, readable - good as duplicate, total from (select {good} as good,"
        f" {readable} as readable, (select count(*) from warehouse.failed_event) as failed,"
        " (select coalesce(sum(records), 0)::bigint from warehouse.next_offset) as total)"
    )


def hashes(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> Mapping[str, TableHash]:
    """The hash of every table, by name."""
    rows = connection.execute(hashes_sql(as_of)).fetchall()
    return {name: TableHash(count, content) for name, count, content in rows}


def books(connection: duckdb.DuckDBPyConnection) -> Books:
    """What became of every record read so far."""
    return Books(*connection.execute(books_sql()).fetchall()[0])


def _inlined(view: str) -> str:
    return f"funnel_{view}"


def _over_inlined(select: str) -> str:
    return re.sub(r"\bfunnel\.(\w+)", lambda match: _inlined(match[1]), select)
