"""What a warehouse says, in one hash per table: equal hashes mean equal contents, whatever the order of rows.

The hash of a table is the sum of its rows' 64-bit hashes, so it does not depend on order, and it
counts a row as often as it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import duckdb

from projections.projection import states, views
from schemas.catalogue import CATALOGUE
from warehouse.layout import Extract


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


@cache
def groups() -> tuple[tuple[str, ...], ...]:
    """The names of all tables, in groups that are hashed together: facts and states, then views with the
    views they read. One statement over everything would need memory for all of it at once."""
    known = {view.name: view for view in views()}
    closures = {name: {v.name for v in Extract.of([name]).views if v.kind == "view"} for name in known}
    found = [
        tuple(f"facts.{event.table}" for event in CATALOGUE.facts),
        tuple(f"state.{state.name}" for state in states()),
    ]
    left = dict(closures)
    while left:
        widest = max(left, key=lambda name: (len(left[name]), name))
        together = [name for name in left if left[name] <= closures[widest]]
        found.append(tuple(f"funnel.{name}" for name in known if name in together))
        left = {name: closure for name, closure in left.items() if name not in together}
    return tuple(found)


def hashes_sql(as_of: datetime, names: Sequence[str]) -> str:
    """One SELECT that hashes these facts, states and views at `as_of`: (name, rows, hash).

    One statement, so that all of it is one snapshot even while a worker writes.
    """
    instant = f"timestamptz '{as_of.isoformat()}'"
    # The installed views read their own as_of; here each view reads the others at the same instant.
    asked = [name.removeprefix("funnel.") for name in names if name.startswith("funnel.")]
    read = Extract.of(asked).views if asked else ()
    named = [f"{_inlined(v.relation)} as ({_over_inlined(v.evaluated(instant))})" for v in read]
    hashed = [
        f"select '{name}' as name, count(*) as rows, coalesce(sum(hash(t)::hugeint), 0)::varchar as content"
        f" from {_over_inlined(name)} as t"
        for name in names
    ]
    return f"{'with ' if named else ''}{', '.join(named)} {' union all '.join(hashed)}"


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
    """The hash of every table, by name, a group at a time."""
    rows = [row for group in groups() for row in connection.execute(hashes_sql(as_of, group)).fetchall()]
    return {name: TableHash(count, content) for name, count, content in rows}


def books(connection: duckdb.DuckDBPyConnection) -> Books:
    """What became of every record read so far."""
    return Books(*connection.execute(books_sql()).fetchall()[0])


def _inlined(relation: str) -> str:
    return relation.replace(".", "_")


def _over_inlined(select: str) -> str:
    return re.sub(r"\b(?:funnel|resolved)\.\w+", lambda match: _inlined(match[0]), select)
