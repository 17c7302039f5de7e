"""A second look at recorded events: with another playbook, or as far as they were known on a day.

The same SQL runs over the same records in a database in memory; the live tables are only read. With another
playbook it answers "what if we had agreed on this"; with `known_at` it answers "what did it look like then".
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import duckdb

from schemas.catalogue import CATALOGUE, EventType
from schemas.errors import BatonError, ExitCode
from warehouse import layout
from warehouse.agreement import Authority
from warehouse.door import Door, load_extensions
from warehouse.layout import Extract, Making
from warehouse.warehouse import Warehouse

# The records' own place in memory, whether they were copied there or lie in an attached file.
RECORDED = "recorded"
_REACHED = "select topic, kafka_partition, next_offset from warehouse.next_offset"
# Statements at a time. They divide the cores: most tables are too small to share out one statement.
STATEMENTS = 2


class Records:
    """Recorded events of a warehouse, to be looked at again. One connection; close it after use.

    Of a running worker they are copied through its door, as far as it had read when the copying began: its
    log only grows, so that is one moment for all tables. Of a file that nobody holds they are read where
    they are. `extract`: the views looks will show; leaving out the others saves making them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, extract: Extract) -> None:
        self.connection = connection
        self.extract = extract
        self.opened_at = datetime.now(UTC)
        self._grounds: dict[tuple[datetime, datetime | None], str] = {}
        self._numbers = count(1)

    @classmethod
    def of_file(cls, path: Path, extract: Extract | None = None) -> Records:
        """Read where they are. Raises BatonError when another process holds the file."""
        records = cls(_memory(), extract or Extract.everything())
        try:
            quoted = str(path).replace("'", "''")
            records.connection.execute(f"attach '{quoted}' as {RECORDED} (read_only)")
        except duckdb.Error as error:
            raise BatonError(
                "The recorded events cannot be read",
                where=str(path),
                why=str(error).splitlines()[0],
                next_command="baton status",
            ) from error
        return records

    @classmethod
    def through(cls, door: Door, extract: Extract | None = None) -> Records:
        """Copied from the worker behind the door. Raises BatonError when it does not answer."""
        records = cls(_memory(), extract or Extract.everything())
        load_extensions(records.connection)
        execute = records.connection.execute
        execute(f"attach ':memory:' as {RECORDED}")
        execute(f"create schema {RECORDED}.log")
        try:
            asked = execute(
                "select * from quack_query(?, ?, token = ?)", [door.address, _REACHED, door.token]
            )
            reached = asked.fetchall()
            for event in CATALOGUE.facts:
                table = f"log.{event.table}"
                rows = f"select * from {table} where {_read_by_then(event, reached)}"
                execute(
                    f"create table {RECORDED}.{table} as select * from quack_query(?, ?, token = ?)",
                    [door.address, rows, door.token],
                )
        except duckdb.Error as error:
            raise BatonError(
                "The worker did not hand over its recorded events",
                where=door.address,
                why=str(error).splitlines()[0],
                next_command="baton status",
                exit_code=ExitCode.UNREACHABLE,
            ) from error
        return records

    def count(self) -> int:
        """Records there are, copies included."""
        counts = " union all ".join(
            f"select count(*) as n from {RECORDED}.log.{event.table}" for event in CATALOGUE.facts
        )
        found = self.connection.execute(f"select sum(n)::bigint from ({counts})").fetchall()
        return int(found[0][0])

    def look(
        self,
        authority: Authority,
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        kept: Collection[str] = (),
    ) -> Warehouse:
        """Everything computed again into a database of its own, which shares this connection.

        `known_at`: only records accepted by then, and whatever was in force by then. Open clocks are read
        at `as_of`, else at `known_at`, else at the moment of the first look. Looks do not disturb each
        other; what no playbook changes is computed once for all of them. `kept`: views that will be asked
        again and again, computed once.
        """
        known_as_of = as_of or known_at or self.opened_at
        ground = self._ground(known_as_of, known_at)
        name = self._database("look")
        look = Warehouse(None, self._using(name), authority, name)
        look.connection.execute("begin")
        for statement in layout.on_common_ground(ground, self.extract):
            look.connection.execute(statement)
        look.pin_as_of(known_as_of)
        authority.put(look.connection)
        for statement in layout.views_on_common_ground(ground, self.extract, kept):
            look.connection.execute(statement)
        look.connection.execute("commit")
        return look

    def prepare(self, as_of: datetime, known_at: datetime | None = None) -> None:
        """Compute what all looks at these instants share. Needed before they are taken in several threads."""
        self._ground(as_of, known_at)

    def _ground(self, as_of: datetime, known_at: datetime | None) -> str:
        """The database of what all looks at these instants have in common."""
        if (as_of, known_at) not in self._grounds:
            name = self._database("ground")
            cursor = self._using(name)
            for statement in layout.foundations():
                cursor.execute(statement)
            cursor.execute("insert into warehouse.pinned_as_of values (?)", [as_of])
            self._make(name, layout.common_ground(lambda event: _known(event, known_at), self.extract))
            self._grounds[(as_of, known_at)] = name
        return self._grounds[(as_of, known_at)]

    def _make(self, database: str, makings: Iterable[Making]) -> None:
        """Tables side by side. Each waits for those it needs, which come before it and so were begun."""
        begun: dict[str, Future[None]] = {}

        def make(making: Making, needed: list[Future[None]]) -> None:
            for before in needed:
                before.result()
            self._using(database).execute(making.ddl)

        with ThreadPoolExecutor(STATEMENTS) as pool:
            for making in makings:
                needed = [begun[name] for name in making.needs if name in begun]
                begun[making.name] = pool.submit(make, making, needed)
        for made in begun.values():
            made.result()

    def _database(self, kind: str) -> str:
        """A new database in memory; its name."""
        name = f"{kind}_{next(self._numbers)}"
        self.connection.cursor().execute(f"attach ':memory:' as {name}")
        return name

    def _using(self, database: str) -> duckdb.DuckDBPyConnection:
        cursor = self.connection.cursor()
        cursor.execute(f"use {database}")
        return cursor

    def close(self) -> None:
        """Let go of the file, or of the copies."""
        self.connection.close()

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _memory() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set global asof_loop_join_threshold = 0")
    connection.execute(f"set global threads = {max(1, (os.cpu_count() or 1) // STATEMENTS)}")
    return connection


def _read_by_then(event: EventType, reached: Sequence[tuple[str, int, int]]) -> str:
    """SQL: whether a record of the event lies before the offsets reached."""
    bounds = [
        f"(kafka_partition = {partition} and kafka_offset < {offset})"
        for topic, partition, offset in reached
        if topic == event.topic
    ]
    return " or ".join(bounds) or "false"


def _known(event: EventType, known_at: datetime | None) -> str:
    """SQL of the records of an event type that had been accepted by then."""
    table = f"{RECORDED}.log.{event.table}"
    if known_at is None:
        return f"select * from {table}"
    return f"select * from {table} where recorded_at <= timestamptz '{known_at.isoformat()}'"
