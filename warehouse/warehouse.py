"""The warehouse: one DuckDB file that holds facts and the Kafka offsets they came from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any

import duckdb

from projections.playbook import Playbook
from projections.resolved_facts import IDENTITY
from projections.signing_keys import SigningKey
from schemas.errors import BatonError, ExitCode, quoted
from warehouse import layout
from warehouse.authority import Authority
from warehouse.commit import LOST_LOG_NEXT, Committer, Mark
from warehouse.file_errors import cannot_open, is_held
from warehouse.read_models import ReadModels, Refreshed, is_current
from warehouse.reading import check_is_reading, failing_plainly, survivable, took_too_long
from warehouse.record_identity import refresh_identity
from warehouse.scope import EVERYTHING, Scope
from warehouse.write_ahead_log import cut_uncommitted

MEMORY_LIMIT = "2GB"
Config = dict[str, str | bool | int | float | list[str]]
# The work of statistics_propagation doubles with each materialized CTE below another: views were planned
# for seconds. common_subplan (duckdb 1.5.5) confuses columns of CTEs, an internal error, and finds nothing:
# views share what they read twice by CTEs.
DISABLED_OPTIMIZERS = "statistics_propagation,common_subplan"
CHECKPOINT_THRESHOLD = "256MB"


@dataclass
class Warehouse:
    """An open warehouse file. One process at a time owns it: DuckDB's file lock keeps a second writer out."""

    path: Path | None
    connection: duckdb.DuckDBPyConnection
    authority: Authority
    # The database within the connection: the file's own, or one that holds a snapshot.
    database: str = ""
    scope: Scope = EVERYTHING
    _read_models: ReadModels | None = None

    @classmethod
    def open(
        cls,
        path: Path | None,
        playbook: Playbook,
        *,
        keys: Sequence[SigningKey] = (),
        threads: int = 2,
        memory_limit: str = MEMORY_LIMIT,
        wait_seconds: float = 0,
        scope: Scope = EVERYTHING,
    ) -> Warehouse:
        """Open or make a warehouse; `None` is one in memory. Raises BatonError when it is held or damaged.

        `playbook` governs until a signed one does; `keys` say whose signatures count; `scope`: what is kept.
        `wait_seconds`: how long to wait while another process holds it, as a query does for a moment.
        """
        if path is not None:
            _make_folder(path)
        connection = _connect(path, configuration(threads, memory_limit), wait_seconds, is_reading=False)
        return cls.on(connection, playbook, keys=keys, path=path, scope=scope)

    @classmethod
    def open_to_read(
        cls,
        path: Path,
        playbook: Playbook,
        *,
        keys: Sequence[SigningKey] = (),
        threads: int = 2,
        memory_limit: str = MEMORY_LIMIT,
        wait_seconds: float = 0,
    ) -> Warehouse:
        """Open a file beside others that read it, and write nothing: see is_current() for what that leaves
        out. Raises BatonError when it is held by a writer, or damaged."""
        connection = _connect(path, configuration(threads, memory_limit), wait_seconds, is_reading=True)
        connection.execute("set global TimeZone = 'UTC'")
        return cls(path, connection, Authority(playbook, tuple(keys)))

    @classmethod
    def on(
        cls,
        connection: duckdb.DuckDBPyConnection,
        playbook: Playbook,
        *,
        keys: Sequence[SigningKey] = (),
        path: Path | None = None,
        scope: Scope = EVERYTHING,
    ) -> Warehouse:
        """A warehouse on an open connection, which it closes when it fails. What is laid out stays."""
        connection.execute("set global TimeZone = 'UTC'")
        warehouse = cls(path, connection, Authority(playbook, tuple(keys)), scope=scope)
        try:
            warehouse._lay_out()
        except duckdb.Error as error:
            connection.close()
            raise cannot_open(path, error) from error
        return warehouse

    def _lay_out(self) -> None:
        """Make what is missing and put the playbooks in. In one transaction: readers see before or after."""
        self._refuse_other_layout()
        self.connection.execute("begin")
        try:
            if not self._is_laid_out():
                for statement in layout.statements():
                    self.connection.execute(statement)
                if self.path is not None:  # nobody browses a database in memory
                    for statement in layout.comments():
                        self.connection.execute(statement)
                self.connection.execute("delete from warehouse.laid_out")
                self.connection.execute("insert into warehouse.laid_out values (?)", [layout.fingerprint()])
            self.authority.store_playbooks(self.connection)
            self.connection.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # the first error says what happened
                self.connection.execute("rollback")
            raise

    def _is_laid_out(self) -> bool:
        """Whether this very layout is there already: a restart need not define all views again."""
        exists = self.connection.execute(
            "select count(*) from duckdb_tables() where schema_name = 'warehouse' and table_name = 'laid_out'"
        ).fetchall()
        if exists == [(0,)]:
            return False
        found = self.connection.execute("select fingerprint from warehouse.laid_out").fetchall()
        return found == [(layout.fingerprint(),)]

    def is_usable(self) -> bool:
        """Whether this Baton laid it out, with these playbooks, and its read models stand."""
        self._refuse_other_layout()
        return (
            self._is_laid_out()
            and self.authority.is_stored(self.connection)
            and self.connection.execute("select count(*) from warehouse.read_model").fetchall() == [(1,)]
        )

    def is_current(self) -> bool:
        """Whether opening it to write, and a refresh, would change no number."""
        has_log = Path(f"{self.path}.wal").exists()  # each reader would replay it
        return not has_log and self.is_usable() and is_current(self.connection)

    def _refuse_other_layout(self) -> None:
        """A file laid out by another Baton is not read wrongly: every row of it can be had from the log."""
        found = self.connection.execute(
            "select coalesce(max(comment), '1') from duckdb_tables() where schema_name = 'warehouse'"
            " and table_name = 'next_offset'"
        ).fetchone()
        is_new = self.connection.execute("select count(*) from duckdb_tables()").fetchone() == (0,)
        if not is_new and found != (str(layout.LAYOUT_VERSION),):
            self.connection.close()
            raise BatonError(
                "The warehouse was laid out by another version of Baton",
                where=str(self.path),
                why=f"it has layout {found[0] if found else '?'}, this Baton has {layout.LAYOUT_VERSION}",
                next_command=f"mv {quoted(self.path)} {quoted(self.path)}.old"
                "   (the next start reads the whole log again)",
                exit_code=ExitCode.CONFIGURATION,
            )

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Another connection to the same database, for statements that run beside others."""
        cursor = self.connection.cursor()
        if self.database:
            cursor.execute(f"use {self.database}")
        return cursor

    def committer(self) -> Committer:
        """Writes batches into this warehouse, through a connection of its own.

        What a batch says about playbooks is in force with the same commit.
        """
        return Committer(self.cursor(), self.authority.store_playbooks, self.scope)

    def rebuild(self) -> dict[str, int]:
        """Compute again what is stored beside the facts: merges, playbooks, read models. Rows of each table.

        The SQL is that of a commit. Running it twice, or never, changes no number.
        """
        self.connection.execute("begin")
        try:
            refresh_identity(self.connection)
            self.authority.store_playbooks(self.connection)
            self.connection.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # the first error says what happened
                self.connection.execute("rollback")
            raise
        self.refresh(is_rebuild=True)
        tables = (IDENTITY, "playbook.all_version", *layout.stored_tables().values())
        return {
            table: int(self.connection.execute(f"select count(*) from {table}").fetchall()[0][0])
            for table in tables
        }

    def refresh(self, *, is_rebuild: bool = False) -> Refreshed:
        """Bring the read models up to what is committed, as of now. See ReadModels.refresh."""
        return self.read_models().refresh(is_rebuild=is_rebuild)

    def read_models(self) -> ReadModels:
        """What keeps the read models up. For one thread at a time."""
        if self._read_models is None:
            self._read_models = ReadModels(self.cursor(), self.scope.views)
        return self._read_models

    def playbook_in_force(self) -> Playbook:
        """The playbook that governs at as-of."""
        as_of = self.cursor().execute("select as_of from warehouse.as_of").fetchall()[0][0]
        return self.authority.agreement(self.cursor()).at(as_of).playbook

    def next_offsets(self) -> Mapping[tuple[str, int], int]:
        """Where to read on, by (topic, partition). A partition never read is not in it."""
        stored = self.cursor().execute(
            "select topic, kafka_partition, next_offset from warehouse.next_offset"
        )
        return {(topic, partition): offset for topic, partition, offset in stored.fetchall()}

    def marks(self) -> Mapping[tuple[str, int], Mark]:
        """The marked record of each partition that has one."""
        stored = self.cursor().execute(
            "select topic, kafka_partition, kafka_offset, written_ms, content from warehouse.mark"
        )
        return {(topic, partition): Mark(*mark) for topic, partition, *mark in stored.fetchall()}

    def recognise_topics(self, ids: Mapping[str, str]) -> None:
        """Remember what Kafka knows each topic by. Raises BatonError when one was recreated since it was
        read: its offsets would be taken for those of the deleted log, and its first events never be seen."""
        cursor = self.cursor()
        known = dict(cursor.execute("select topic, topic_id from warehouse.topic").fetchall())
        for topic, topic_id in ids.items():
            if known.get(topic, topic_id) != topic_id:
                raise BatonError(
                    "A topic was deleted and recreated since the warehouse read it",
                    where=topic,
                    why=f"the warehouse read it as {known[topic]}; Kafka now has {topic_id}",
                    next_command=LOST_LOG_NEXT,
                    exit_code=ExitCode.DATA_PROBLEMS,
                )
            if topic not in known:
                cursor.execute("insert into warehouse.topic values (?, ?)", [topic, topic_id])

    def ask(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one SELECT on a cursor of its own; (column names, rows)."""
        with self.answer(statement) as rows:
            return rows.columns, rows.fetchall()

    @contextmanager
    def answer(self, statement: str, seconds: float | None = None) -> Iterator[duckdb.DuckDBPyRelation]:
        """The rows of one SELECT, to be read once, within so many seconds."""
        check_is_reading(statement)
        cursor = self.cursor()
        limit = Timer(seconds or 0, cursor.interrupt)
        if seconds:
            limit.start()
        try:
            with failing_plainly(statement):
                yield cursor.sql(survivable(statement))
        except BatonError as error:
            if seconds and isinstance(error.__cause__, duckdb.InterruptException):
                raise took_too_long(statement, seconds) from error
            raise
        except RuntimeError:  # Ctrl-C reaches the caller, and leaves the statement running
            cursor.interrupt()
            raise
        finally:
            limit.cancel()

    def pin_as_of(self, as_of: datetime | None, *, is_read_model: bool = True) -> None:
        """Read open clocks at this instant from now on, or (None) at the wall clock.

        is_read_model: whether to bring the read models there too.
        """
        self.connection.execute("delete from warehouse.pinned_as_of")
        if as_of is not None:
            self.connection.execute("insert into warehouse.pinned_as_of values (?)", [as_of])
        if is_read_model and not self.database:  # a snapshot has none
            self.refresh()

    def pinned_as_of(self) -> datetime | None:
        """The instant at which open clocks are read; None is the wall clock."""
        found = self.connection.execute("select as_of from warehouse.pinned_as_of").fetchone()
        return found[0] if found else None

    def note_log_losses(self, lost_at: Mapping[str, str]) -> None:
        """Say in the freshness of these event types since when Kafka is known to have lost some."""
        self.connection.execute("begin")
        note_log_losses(self.connection, lost_at)
        self.connection.execute("commit")

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def configuration(threads: int, memory_limit: str = MEMORY_LIMIT) -> Config:
    """DuckDB's settings for a warehouse."""
    return {
        "threads": threads,
        "memory_limit": memory_limit,
        "checkpoint_threshold": CHECKPOINT_THRESHOLD,
        "preserve_insertion_order": True,
        # DuckDB may take a few rows to be left of an ASOF join where there are thousands, and
        # then walk the other side whole for each: a hundred times slower.
        "asof_loop_join_threshold": 0,
        "disabled_optimizers": DISABLED_OPTIMIZERS,
    }


def _connect(
    path: Path | None, config: Config, wait_seconds: float, *, is_reading: bool
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    place = str(path) if path else ":memory:"
    while True:
        try:
            if path is not None:
                cut_uncommitted(path)
            return duckdb.connect(place, read_only=is_reading, config=config)
        except duckdb.Error as error:
            if not is_held(error) or time.monotonic() >= deadline:
                raise cannot_open(path, error) from error
            time.sleep(0.1)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BatonError(
            "The warehouse's folder cannot be made",
            where=str(path.parent),
            why=str(error),
            next_command="export BATON_HOME=/a/folder/you/can/write",
            exit_code=ExitCode.CONFIGURATION,
        ) from error


def note_log_losses(connection: duckdb.DuckDBPyConnection, lost_at: Mapping[str, str]) -> None:
    """Fill warehouse.log_loss: by event type, the instant (ISO) at which the loss was found."""
    connection.execute("delete from warehouse.log_loss")
    for event_type, instant in lost_at.items():
        connection.execute("insert into warehouse.log_loss values (?, ?)", [event_type, instant])
