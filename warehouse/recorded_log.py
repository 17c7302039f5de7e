"""The recorded events of a warehouse, and historical snapshots of them: what its numbers say under
another playbook ("what if we had agreed on this"), or as far as they were known on a day.

The same SQL runs over the same records in databases in memory; the live tables are only read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import duckdb

from projections.open_time import open_days, open_spans
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE, EventType
from schemas.errors import BatonError, ExitCode
from warehouse import build, layout
from warehouse.authority import AGREEMENT_FACTS, Authority
from warehouse.build import BuildTask
from warehouse.file_errors import cannot_open
from warehouse.sql_endpoint import REMOTE, SqlEndpoint, load_extensions
from warehouse.warehouse import DISABLED_OPTIMIZERS, Warehouse, note_log_losses

# Where the records are within the connection: copied into memory, or in an attached file.
RECORDED = "recorded"
_REACHED = "select topic, kafka_partition, next_offset from warehouse.next_offset"
# Statements at a time. They divide the cores: most tables are too small to share out one statement.
STATEMENTS = 2


class RecordedLog:
    """All recorded events, to compute snapshots from. One connection; close it after use.

    Of a running worker they are copied through its SQL endpoint, as far as it had read when the copying
    began: its log only grows, so that is one moment for all tables. Of a file that nobody holds they are
    read where they are. `views`: those that snapshots will show, default all; fewer are sooner there.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, views: Collection[str] | None) -> None:
        self.connection = connection
        self.opened_at = datetime.now(UTC)
        self.lost_at: Mapping[str, str] = {}  # see warehouse.log_loss
        self._needed = build.needed_by(views)
        self._shared: dict[tuple[datetime, datetime | None], str] = {}
        self._numbers = count(1)

    @classmethod
    def of_file(cls, path: Path, views: Collection[str] | None = None) -> RecordedLog:
        """Read where they are. Raises BatonError when another process holds the file."""
        log = cls(_memory(), views)
        try:
            log.connection.execute(f"attach {sql_literal(str(path))} as {RECORDED} (read_only)")
        except duckdb.Error as error:
            raise cannot_open(path, error) from error
        return log

    @classmethod
    def of_worker(cls, endpoint: SqlEndpoint, views: Collection[str] | None = None) -> RecordedLog:
        """Copied from a running worker. Raises BatonError when it does not answer."""
        log = cls(_memory(), views)
        load_extensions(log.connection)
        execute = log.connection.execute
        execute(f"attach ':memory:' as {RECORDED}")
        execute(f"create schema {RECORDED}.log")
        try:
            reached = execute(REMOTE, endpoint.remote(_REACHED)).fetchall()
            for event in CATALOGUE.facts:
                rows = f"select * from log.{event.table} where {_read_by_then(event, reached)}"
                execute(f"create table {RECORDED}.log.{event.table} as {REMOTE}", endpoint.remote(rows))
        except duckdb.Error as error:
            raise BatonError(
                "The worker did not hand over its recorded events",
                where=endpoint.address,
                why=str(error).splitlines()[0],
                next_command="baton status",
                exit_code=ExitCode.UNREACHABLE,
            ) from error
        return log

    def count(self) -> int:
        """Records there are, copies included."""
        counts = [f"(select count(*) from {RECORDED}.log.{event.table})" for event in CATALOGUE.facts]
        return int(self.connection.execute(f"select {' + '.join(counts)}").fetchall()[0][0])

    def snapshot(
        self,
        authority: Authority,
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Warehouse:
        """Everything computed again into a database of its own on this connection. See snapshots()."""
        return self.snapshots([authority], as_of=as_of, known_at=known_at)[0]

    def snapshots(
        self,
        authorities: Sequence[Authority],
        *,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> list[Warehouse]:
        """A snapshot for each authority, built side by side.

        `known_at`: only records accepted by then, and whatever was in force by then. Open clocks are read
        at `as_of`, else at `known_at`, else at the moment this log was opened. Snapshots do not disturb each
        other; what no playbook changes is computed once for all of them.
        """
        instant = as_of or known_at or self.opened_at
        shared, tasks = self._shared_database(instant, known_at)
        tasks.append(BuildTask("calendars", (), "", lambda _: _remember_calendars(authorities)))
        snapshots = []
        for authority in authorities:
            name = self._new_database("snapshot")
            tasks += [_foundations(name, instant, self.lost_at), _playbook(name, authority)]
            tasks += build.snapshot_tasks(name, shared, self._needed)
            snapshots.append(Warehouse(None, self._using(name), authority, name))
        build.run(tasks, lambda task: task.do(self._using(task.database)), STATEMENTS)
        self._shared[(instant, known_at)] = shared
        return snapshots

    def _shared_database(self, as_of: datetime, known_at: datetime | None) -> tuple[str, list[BuildTask]]:
        """The database of what all snapshots at these instants share, and the tasks that still build it."""
        if (as_of, known_at) in self._shared:
            return self._shared[(as_of, known_at)], []
        name = self._new_database("shared")
        log = partial(_known, known_at=known_at)
        return name, [_foundations(name, as_of, self.lost_at), *build.shared_tasks(name, log, self._needed)]

    def _new_database(self, kind: str) -> str:
        name = f"{kind}_{next(self._numbers)}"
        self.connection.cursor().execute(f"attach ':memory:' as {name}")
        return name

    def _using(self, database: str) -> duckdb.DuckDBPyConnection:
        cursor = self.connection.cursor()
        if database:
            cursor.execute(f"use {database}")
        return cursor

    def close(self) -> None:
        """Let go of the file, or of the copies."""
        self.connection.close()

    def __enter__(self) -> RecordedLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _foundations(database: str, as_of: datetime, lost_at: Mapping[str, str]) -> BuildTask:
    pin = f"insert into warehouse.pinned_as_of values ({sql_literal(as_of)})"

    def lay(connection: duckdb.DuckDBPyConnection) -> None:
        for statement in (*layout.foundations(), pin):
            connection.execute(statement)
        note_log_losses(connection, lost_at)

    return BuildTask(database, (), database, lay)


def _playbook(database: str, authority: Authority) -> BuildTask:
    def store(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("begin")
        authority.store_playbooks(connection)
        connection.execute("commit")

    after = (database, "calendars", *(f"{database}.facts.{table}" for table in AGREEMENT_FACTS))
    return BuildTask(f"{database}.playbook", after, database, store)


def _remember_calendars(authorities: Collection[Authority]) -> None:
    """Snapshots that are built side by side would each compute the same hundred years."""
    for calendar in {calendar for authority in authorities for calendar in authority.base.calendars}:
        for remembered in (open_days, open_spans):
            remembered(calendar)


def _memory() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set global TimeZone = 'UTC'")
    connection.execute("set global asof_loop_join_threshold = 0")
    connection.execute(f"set global disabled_optimizers = '{DISABLED_OPTIMIZERS}'")
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
    by_then = "" if known_at is None else f" where recorded_at <= {sql_literal(known_at)}"
    return f"select * from {RECORDED}.log.{event.table}{by_then}"
