"""Asking the warehouse from a command: through the worker's door when it runs, else by opening the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from schemas.errors import BatonError, ExitCode
from streams.opening import open_warehouse
from streams.project import Project
from warehouse.sql_endpoint import SqlEndpoint, ask
from warehouse.warehouse import Warehouse

Ask = Callable[[str], tuple[list[str], list[tuple[Any, ...]]]]


def ask_warehouse(project: Project, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT; (column names, rows). Works while the worker writes, and when nothing runs."""
    door = SqlEndpoint.read(project.door_file)
    if door is not None:
        try:
            return ask(door, statement)
        except BatonError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
    with _file(project) as warehouse:
        return warehouse.ask(statement)


@contextmanager
def reading(project: Project) -> Iterator[Ask]:
    """The same for one SELECT after another; a file that nobody holds is opened once for all of them."""
    door = SqlEndpoint.read(project.door_file)
    if door is not None and _answers(door):
        yield lambda statement: ask(door, statement)
        return
    with _file(project) as warehouse:
        yield warehouse.ask


def _file(project: Project) -> Warehouse:
    if not project.warehouse_file.exists():
        raise BatonError(
            "There is no warehouse yet",
            where=str(project.warehouse_file),
            why="no worker has run in this project folder",
            next_command="baton up",
            exit_code=ExitCode.CONFIGURATION,
        )
    return open_warehouse(project)


def _answers(door: SqlEndpoint) -> bool:
    """Whether a worker is behind the door; a file of a worker that is gone leads nowhere."""
    try:
        ask(door, "select 1")
    except BatonError as error:
        if error.exit_code != ExitCode.UNREACHABLE:
            raise
        return False
    return True
