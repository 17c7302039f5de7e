"""A second look at recorded events: with another playbook, or as far as they were known on a day.

The same SQL runs over the same records in a database in memory; the live tables are only read. With another
playbook it answers "what if we had agreed on this"; with `known_at` it answers "what did it look like then".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import duckdb

from projections.open_time import open_days, open_spans
from schemas.catalogue import CATALOGUE, EventType
from schemas.errors import BatonError, ExitCode
from warehouse import layout
from warehouse.authority import AGREEMENT_FACTS, Authority
from warehouse.layout import Extract, Making
from warehouse.sql_endpoint import SqlEndpoint, load_extensions
from warehouse.warehouse import Warehouse

# The records' own place in memory, whether they were copied there or lie in an attached file.
RECORDED = "recorded"
_REACHED = "select topic, kafka_partition, next_offset from warehouse.next_offset"
# Statements at a time. They divide the cores: most tables are too small to share out one statement.
STATEMENTS = 2


class RecordedLog:
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
    def of_file(cls, path: Path, extract: Extract | None = None) -> RecordedLog:
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
    def through(cls, door: SqlEndpoint, extract: Extract | None = None) -> RecordedLog:
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

    def snapshot(
        self,
        authority: Authority,
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        kept: Collection[str] = (),
    ) -> Warehouse:
        """Everything computed again into a database of its own on this connection. See snapshots()."""
        return self.snapshots([authority], as_of=as_of, known_at=known_at, kept=kept)[0]

    def snapshots(
        self,
        authorities: Sequence[Authority],
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        kept: Collection[str] = (),
    ) -> list[Warehouse]:
        """A look for each authority, made side by side.

        `known_at`: only records accepted by then, and whatever was in force by then. Open clocks are read
        at `as_of`, else at `known_at`, else at the moment of the first look. Looks do not disturb each
        other; what no playbook changes is computed once for all of them. `kept`: views that will be asked
        again and again, computed once.
        """
        known_as_of = as_of or known_at or self.opened_at
        ground, steps = self._ground(known_as_of, known_at)
        steps.append(Step("calendars", (), "", lambda _: _remember_calendars(authorities)))
        looks = []
        for authority in authorities:
            name = self._database("look")
            steps += [_foundations(name, known_as_of), _playbook(name, authority)]
            steps += _steps(name, layout.on_common_ground(name, ground, self.extract, kept))
            looks.append(Warehouse(None, self._using(name), authority, name))
        self._take(steps)
        self._grounds[(known_as_of, known_at)] = ground
        return looks

    def _ground(self, as_of: datetime, known_at: datetime | None) -> tuple[str, list[Step]]:
        """The database of what all looks at these instants share, and the steps that still make it."""
        if (as_of, known_at) in self._grounds:
            return self._grounds[(as_of, known_at)], []
        name = self._database("ground")
        ground = layout.common_ground(name, lambda event: _known(event, known_at), self.extract)
        return name, [_foundations(name, as_of), *_steps(name, ground)]

    def _take(self, steps: Sequence[Step]) -> None:
        """Some at a time: of those that have all they need, the first comes first."""
        waiting = {step.name: step for step in steps}
        under_way: dict[Future[None], str] = {}
        with ThreadPoolExecutor(STATEMENTS) as pool:
            missing = set(waiting)
            while missing:
                ready = [step for step in waiting.values() if missing.isdisjoint(step.needs)]
                for step in ready[: STATEMENTS - len(under_way)]:
                    under_way[pool.submit(self._do, waiting.pop(step.name))] = step.name
                for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                    missing.remove(under_way.pop(done))
                    done.result()

    def _do(self, step: Step) -> None:
        step.do(self._using(step.database) if step.database else self.connection)

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

    def __enter__(self) -> RecordedLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Step:
    """Something to do in a database, and the names of the steps before it; those not known are done."""

    name: str
    needs: tuple[str, ...]
    database: str
    do: Callable[[duckdb.DuckDBPyConnection], object]


def _steps(database: str, makings: Iterable[Making]) -> Iterator[Step]:
    for making in makings:
        yield Step(making.name, (database, *making.needs), database, partial(_execute, [making.ddl]))


def _foundations(database: str, as_of: datetime) -> Step:
    pin = f"insert into warehouse.pinned_as_of values (timestamptz '{as_of.isoformat()}')"
    return Step(database, (), database, partial(_execute, [*layout.foundations(), pin]))


def _playbook(database: str, authority: Authority) -> Step:
    needs = (database, "calendars", *(f"{database}.facts.{table}" for table in AGREEMENT_FACTS))
    return Step(f"{database}.playbook", needs, database, partial(_put, authority))


def _put(authority: Authority, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("begin")
    authority.store_playbooks(connection)
    connection.execute("commit")


def _execute(statements: Iterable[str], connection: duckdb.DuckDBPyConnection) -> None:
    for statement in statements:
        connection.execute(statement)


def _remember_calendars(authorities: Iterable[Authority]) -> None:
    """Looks that are made side by side would each make the same hundred years."""
    for calendar in {calendar for authority in authorities for calendar in authority.base.calendars}:
        for remembered in (open_days, open_spans):
            remembered(calendar)


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
