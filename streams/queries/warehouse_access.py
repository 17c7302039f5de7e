"""Access to a project's warehouse: runs a SELECT whether or not the worker is running.

A running worker owns the file, and statements go to its SQL endpoint. Otherwise the file is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from projections.playbook import read_playbook
from projections.signing_keys import SigningKey, read_keys
from schemas.errors import BatonError, ExitCode
from streams.project import Project
from warehouse.authority import Authority
from warehouse.recorded_log import RecordedLog
from warehouse.sql_endpoint import SqlEndpoint, answer, ask
from warehouse.warehouse import Warehouse

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
    project: Project, path: Path | None = None, *, threads: int = 2, wait_seconds: float = 0
) -> Warehouse:
    """The project's warehouse, created if it is missing, or another file (`path`) with the same views.

    Raises BatonError, also when a worker owns the file.
    """
    authority = authority_of(project)
    return Warehouse.open(
        path or project.warehouse_file,
        authority.base,
        keys=authority.keys,
        threads=threads,
        memory_limit=project.memory_limit,
        wait_seconds=wait_seconds,
    )


def open_existing_warehouse(project: Project) -> Warehouse:
    """The same, but a warehouse that does not exist is an error."""
    return open_warehouse(project, existing_file(project))


def ask_warehouse(project: Project, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT; (column names, rows). Works with and without a running worker."""

    def of_file(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
        with open_warehouse(project, path) as warehouse:
            warehouse.refresh()
            return warehouse.ask(statement)

    return _worker_or_file(project, lambda endpoint: ask(endpoint, statement), of_file)


@contextmanager
def asking(project: Project, known_at: datetime | None = None) -> Iterator[Ask]:
    """A function that runs SELECTs: on the live warehouse, or on the one as known at an instant."""
    if known_at is None:
        with _worker_or_file(project, _asking_worker, partial(_asking_file, project)) as ask_live:
            yield ask_live
        return
    with recorded(project) as records:
        yield records.snapshot(authority_of(project), known_at=known_at).ask


@contextmanager
def answering(project: Project, known_at: datetime | None = None) -> Iterator[Answering]:
    """Like asking(), but rows come as a relation, with a time limit."""
    if known_at is not None:
        with recorded(project) as records:
            yield records.snapshot(authority_of(project), known_at=known_at).answer
        return
    with _worker_or_file(project, _answering_worker, partial(_answering_file, project)) as answer_live:
        yield answer_live


@contextmanager
def recorded(project: Project, views: Sequence[str] | None = None) -> Iterator[RecordedLog]:
    """All recorded events of a project. Raises BatonError when there is no warehouse."""
    records = _worker_or_file(
        project,
        lambda endpoint: RecordedLog.of_worker(endpoint, views),
        lambda path: RecordedLog.of_file(path, views),
    )
    try:
        yield records
    finally:
        records.close()


def _worker_or_file(
    project: Project, of_worker: Callable[[SqlEndpoint], Access], of_file: Callable[[Path], Access]
) -> Access:
    """Access through the running worker, else through the file. A killed worker may have left its address."""
    project.refuse_other_settings()
    endpoint = SqlEndpoint.read(project.endpoint_file)
    if endpoint is not None:
        try:
            return of_worker(endpoint)
        except BatonError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
    return of_file(existing_file(project))


def existing_file(project: Project) -> Path:
    """The project's warehouse file. Raises BatonError when there is none."""
    if not project.warehouse_file.exists():
        raise BatonError(
            "There is no warehouse yet",
            where=str(project.warehouse_file),
            why="no worker has run in this project folder",
            next_command="baton up",
            exit_code=ExitCode.CONFIGURATION,
        )
    return project.warehouse_file


def _asking_worker(endpoint: SqlEndpoint) -> AbstractContextManager[Ask]:
    ask(endpoint, "select 1")  # without a worker this fails here, not in the middle of the caller's work
    return nullcontext(partial(ask, endpoint))


def _answering_worker(endpoint: SqlEndpoint) -> AbstractContextManager[Answering]:
    ask(endpoint, "select 1")
    return nullcontext(partial(answer, endpoint))


@contextmanager
def _answering_file(project: Project, path: Path) -> Iterator[Answering]:
    with open_warehouse(project, path) as warehouse:
        yield warehouse.answer


@contextmanager
def _asking_file(project: Project, path: Path) -> Iterator[Ask]:
    with open_warehouse(project, path) as warehouse:
        warehouse.refresh()
        yield warehouse.ask
