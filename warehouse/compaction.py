"""Compaction: appended partial states become one row per key again. Housekeeping; no answer changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import duckdb

from projections.projection import Projection, states

COMPACT_FROM = 200_000
GROWTH = 2


class Compaction:
    """Compacts a state once it outgrows its last compaction, so each row is rewritten only a few times."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.compacted_rows: dict[str, int] = {}

    def compact_outgrown(self) -> list[str]:
        """Compact the states that are due, each in its own transaction; their names."""
        compacted = []
        for state in states():
            limit = max(COMPACT_FROM, GROWTH * self.compacted_rows.get(state.name, 0))
            if _rows(self.connection, state) > limit:
                replace_states(self.connection, {state: state.merge_select(f"partial.{state.name}")})
                self.compacted_rows[state.name] = _rows(self.connection, state)
                compacted.append(state.name)
        return compacted


def rebuild(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Compute all states again from the stored facts and swap them in at once; rows per state.

    The SQL is the live path's own, over everything. Running it twice, or never, changes no number.
    """
    replace_states(connection, {state: state.from_facts("log.{}".format) for state in states()})
    return {state.name: _rows(connection, state) for state in states()}


def replace_states(connection: duckdb.DuckDBPyConnection, contents: Mapping[Projection, str]) -> None:
    """Swap in new rows for states, all in one transaction: a reader sees all old ones or all new ones."""
    connection.execute("begin")
    try:
        for state, select in contents.items():
            connection.execute(f"create table partial.{state.name}_next as {select}")
            connection.execute(f"drop table partial.{state.name}")
            connection.execute(f"alter table partial.{state.name}_next rename to {state.name}")
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # the first error says what happened
            connection.execute("rollback")
        raise


def _rows(connection: duckdb.DuckDBPyConnection, state: Projection) -> int:
    return int(connection.execute(f"select count(*) from partial.{state.name}").fetchall()[0][0])
