"""Folding: appended partial states become one row per key again. Housekeeping; no answer changes."""

from __future__ import annotations

from contextlib import suppress

import duckdb

from projections.projection import Projection, states

FOLD_FROM = 200_000
GROWTH = 2


class Folding:
    """Folds a state once it outgrows its last folding: each row is folded a bounded number of times."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.folded_rows: dict[str, int] = {}

    def fold_what_outgrew(self) -> list[str]:
        """Fold the states that are due, each in its own transaction; their names."""
        folded = []
        for projection in states():
            rows = self._rows(projection)
            if rows > max(FOLD_FROM, GROWTH * self.folded_rows.get(projection.name, 0)):
                replace_states(self.connection, {projection: projection.merged(f"partial.{projection.name}")})
                self.folded_rows[projection.name] = self._rows(projection)
                folded.append(projection.name)
        return folded

    def _rows(self, projection: Projection) -> int:
        found = self.connection.execute(f"select count(*) from partial.{projection.name}").fetchone()
        return int(found[0]) if found else 0


def replace_states(connection: duckdb.DuckDBPyConnection, contents: dict[Projection, str]) -> None:
    """Swap in new rows for states, all in one transaction: a reader sees all old ones or all new ones."""
    connection.execute("begin")
    try:
        for projection, select in contents.items():
            name = projection.name
            connection.execute(f"create table partial.{name}_next as {select}")
            connection.execute(f"drop table partial.{name}")
            connection.execute(f"alter table partial.{name}_next rename to {name}")
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # the first error says what happened
            connection.execute("rollback")
        raise


def rebuild(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Compute all states again from the stored facts and swap them in at once; rows per state.

    The SQL is the live path's own, over everything. Running it twice, or never, changes no number.
    """
    replace_states(
        connection,
        {
            projection: projection.merged(f"({projection.lifted(lambda table: f'log.{table}')})")
            for projection in states()
        },
    )
    return {
        projection.name: connection.execute(f"select count(*) from partial.{projection.name}").fetchall()[0][
            0
        ]
        for projection in states()
    }
