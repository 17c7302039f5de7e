"""Access to a project's warehouses: runs a SELECT whether or not their workers are running.

A running worker owns the file, and statements go to its SQL endpoint. Otherwise the file is opened for
reading only, so that readers do not lock each other out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from projections.playbook import read_playbook
from projections.signing_keys import SigningKey, read_keys
from schemas.errors import BatonError, ExitCode
from streams.local.worker_process import find_worker
from streams.project import Project
from streams.queries.log_losses import lost_at
from streams.worker_files import WorkerFiles
from warehouse.authority import Authority
from warehouse.file_errors import HELD, cannot_open
from warehouse.read_models import last_recorded_sql, unread_sql
from warehouse.recorded_log import RecordedLog
from warehouse.scope import HANDOFFS, NUMBERS, Scope
from warehouse.sql_endpoint import SqlEndpoint, answer, ask
from warehouse.warehouse import Warehouse

# How long a command waits for another one that writes to the file.
FILE_SECONDS = 5.0

Ask = Callable[[str], tuple[list[str], list[tuple[Any, ...]]]]
# The rows of one SELECT within so many seconds, to be read once.
Answering = Callable[[str, float | None], AbstractContextManager[duckdb.DuckDBPyRelation]]
Access = TypeVar("Access")


def authority_of(project: Project) -> Authority:
    """The project's playbook file and its keys. Raises BatonError when one of them is invalid."""
    return Authority(read_playbook(project.playbook_file), keys_of(project))


def keys_of(project: Project) -> tuple[SigningKey, ...]:
    """The keys that may sign. Without a file there are none, and no signature counts."""
    if not project.are_keys_named and not project.keys_file.exists():
        return ()
    return read_keys(project.keys_file)


def open_warehouse(
    project: Project,
    path: Path | None = None,
    *,
    threads: int = 2,
    wait_seconds: float = 0,
    scope: Scope = NUMBERS,
) -> Warehouse:
    """The warehouse of the project's numbers, created if it is missing, or another file (`path`) with the
    same views.

    Raises BatonError, also when a worker owns the file.
    """
    authority = authority_of(project)
    warehouse = Warehouse.open(
        path or project.numbers.warehouse,
        authority.base,
        keys=authority.keys,
        threads=threads,
        memory_limit=project.memory_limit,
        wait_seconds=wait_seconds,
        scope=scope,
    )
    # What the project remembers: a file that is new, or was restored, would not know.
    warehouse.note_log_losses(lost_at(project))
    as_of = project.pinned_as_of
    if as_of is not None and as_of != warehouse.pinned_as_of():
        warehouse.pin_as_of(as_of)
    return warehouse


def open_existing_warehouse(project: Project) -> Warehouse:
    """The same, but a warehouse that does not exist is an error."""
    return open_warehouse(project, existing_file(project))


def ask_warehouse(
    project: Project, statement: str, files: WorkerFiles | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT; (column names, rows). Works with and without a running worker. `files`: those of
    another worker than numbers."""

    files = files or project.numbers

    def of_file(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
        with _open_to_read(project, files) as warehouse:
            return warehouse.ask(statement)

    return _worker_or_file(project, files, lambda endpoint: ask(endpoint, statement), of_file)


@contextmanager
def asking(
    project: Project, known_at: datetime | None = None, notify: Callable[[str], None] = lambda notice: None
) -> Iterator[Ask]:
    """A function that runs SELECTs: on the live warehouse, or on the one as known at an instant.

    `notify` is given a sentence when numbers are behind what was read, or no worker moves them on.
    """
    if known_at is None:
        of_worker, of_file = partial(_asking_worker, notify), partial(_asking_file, project, notify)
        with _worker_or_file(project, project.numbers, of_worker, of_file) as ask_live:
            yield ask_live
        return
    with recorded(project) as records:
        yield records.snapshot(authority_of(project), known_at=known_at).ask


@contextmanager
def answering(
    project: Project, known_at: datetime | None = None, notify: Callable[[str], None] = lambda notice: None
) -> Iterator[Answering]:
    """Like asking(), but rows come as a relation, with a time limit."""
    if known_at is not None:
        with recorded(project) as records:
            yield records.snapshot(authority_of(project), known_at=known_at).answer
        return
    of_worker, of_file = partial(_answering_worker, notify), partial(_answering_file, project, notify)
    with _worker_or_file(project, project.numbers, of_worker, of_file) as answer_live:
        yield answer_live


@contextmanager
def recorded(project: Project, views: Sequence[str] | None = None) -> Iterator[RecordedLog]:
    """All recorded events of a project. Raises BatonError when there is no warehouse."""

    def of_worker(endpoint: SqlEndpoint) -> RecordedLog:
        ask(endpoint, "select 1")  # copying has no time limit of its own
        return RecordedLog.of_worker(endpoint, views)

    of_file = partial(RecordedLog.of_file, views=views)
    records = _worker_or_file(project, project.numbers, of_worker, of_file)
    records.lost_at = lost_at(project)
    try:
        yield records
    finally:
        records.close()


def _worker_or_file(
    project: Project,
    files: WorkerFiles,
    of_worker: Callable[[SqlEndpoint], Access],
    of_file: Callable[[Path], Access],
) -> Access:
    """Access through the running worker, else through the file. A killed worker may have left its address."""
    project.refuse_other_settings()
    endpoint = SqlEndpoint.read(files.endpoint)
    if endpoint is not None:
        try:
            return of_worker(endpoint)
        except BatonError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
    try:
        return of_file(_existing(files))
    except BatonError as error:
        worker = find_worker(files)
        if error.what != HELD or worker is None:
            raise
        raise BatonError(
            f"The worker of {files.name} is starting",
            where=f"pid {worker.pid}",
            why="it has the warehouse open, and answers as soon as it is ready",
            next_command="baton status   (then the same command again)",
            exit_code=ExitCode.UNREACHABLE,
        ) from error


def existing_file(project: Project) -> Path:
    """The warehouse file of the project's numbers. Raises BatonError when there is none."""
    return _existing(project.numbers)


def _existing(files: WorkerFiles) -> Path:
    if not files.warehouse.exists():
        raise BatonError(
            "There is no warehouse yet",
            where=str(files.warehouse),
            why="no worker has run in this project folder",
            next_command="baton up",
            exit_code=ExitCode.CONFIGURATION,
        )
    return files.warehouse


def _asking_worker(notify: Callable[[str], None], endpoint: SqlEndpoint) -> AbstractContextManager[Ask]:
    _notify_of_unread(notify, endpoint)
    return nullcontext(partial(ask, endpoint))


def _answering_worker(
    notify: Callable[[str], None], endpoint: SqlEndpoint
) -> AbstractContextManager[Answering]:
    _notify_of_unread(notify, endpoint)
    return nullcontext(partial(answer, endpoint))


def _notify_of_unread(notify: Callable[[str], None], endpoint: SqlEndpoint) -> None:
    """Without a worker this fails, and not in the middle of the caller's work."""
    [(unread,)] = ask(endpoint, unread_sql())[1]
    if unread:
        notify(f"not in the numbers yet: {unread:,} of the records read; ask again")


def _answering_file(
    project: Project, notify: Callable[[str], None], path: Path
) -> AbstractContextManager[Answering]:
    warehouse = _open_to_read(project, project.numbers)
    return _reading_file(project, notify, warehouse, warehouse.answer)


def _asking_file(project: Project, notify: Callable[[str], None], path: Path) -> AbstractContextManager[Ask]:
    warehouse = _open_to_read(project, project.numbers)
    return _reading_file(project, notify, warehouse, warehouse.ask)


@contextmanager
def _reading_file(
    project: Project, notify: Callable[[str], None], warehouse: Warehouse, access: Access
) -> Iterator[Access]:
    """It is open already: who holds it otherwise, _worker_or_file() says."""
    with warehouse:
        notify(_as_of(project, warehouse))
        yield access


def _open_to_read(project: Project, files: WorkerFiles) -> Warehouse:
    """The file, for reading only. What the last worker left undone is done first, unless others read: then
    it is answered from as it stands."""
    authority, path = authority_of(project), files.warehouse
    scope = NUMBERS if files == project.numbers else HANDOFFS
    opening = partial(
        Warehouse.open_to_read,
        path,
        authority.base,
        keys=authority.keys,
        memory_limit=project.memory_limit,
        wait_seconds=FILE_SECONDS,
    )
    found = opening()
    try:
        if found.is_current():
            return found
        is_usable = found.is_usable()
    except duckdb.Error as error:
        raise cannot_open(path, error) from error
    found.close()
    try:
        with open_warehouse(project, path, wait_seconds=FILE_SECONDS, scope=scope) as warehouse:
            warehouse.refresh()
    except duckdb.Error as error:
        if not is_usable:
            raise cannot_open(path, error) from error
    except BatonError:
        if not is_usable:
            raise
    return opening()


def _as_of(project: Project, warehouse: Warehouse) -> str:
    """As of when the file stands, and that no worker moves it on; short enough for a line of 80 columns."""
    [(stands_at,)] = warehouse.ask("select max(as_of) from warehouse.read_model")[1]
    [(recorded_at,)] = warehouse.ask(last_recorded_sql())[1]
    events = f"last event {_moment(recorded_at)}" if recorded_at else "no event"
    has_died = project.numbers.record.exists() or project.numbers.endpoint.exists()
    return f"as of {_moment(stands_at)}; {events}; {'the worker died' if has_died else 'no worker runs'}"


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
