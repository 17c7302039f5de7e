"""Asking the warehouse from a command: through the worker's door when it runs, else by opening the file."""

from __future__ import annotations

from typing import Any

from schemas.errors import BatonError, ExitCode
from streams.opening import open_warehouse
from streams.project import Project
from warehouse.door import Door, ask


def ask_warehouse(project: Project, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT; (column names, rows). Works while the worker writes, and when nothing runs."""
    door = Door.read(project.door_file)
    if door is not None:
        try:
            return ask(door, statement)
        except BatonError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
    if not project.warehouse_file.exists():
        raise BatonError(
            "There is no warehouse yet",
            where=str(project.warehouse_file),
            why="no worker has run in this project folder",
            next_command="baton up",
            exit_code=ExitCode.CONFIGURATION,
        )
    with open_warehouse(project) as warehouse:
        return warehouse.ask(statement)
