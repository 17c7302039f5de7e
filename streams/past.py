"""Asking about the past: the live tables, or the warehouse as it was known on a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import click

from schemas.errors import BatonError, ExitCode
from streams.opening import authority_of
from streams.project import Project
from streams.reading import Ask, reading
from warehouse.recorded_log import RecordedLog
from warehouse.sql_endpoint import SqlEndpoint

as_known_option = click.option(
    "--as-known",
    metavar="INSTANT",
    help="As it looked then: only events recorded by this instant, such as 2026-03-01T00:00:00Z.",
)


@contextmanager
def asking(project: Project, as_known: str | None) -> Iterator[Ask]:
    """Something that answers a SELECT: the live warehouse, or the one known at an instant."""
    if as_known is None:
        with reading(project) as ask:
            yield ask
        return
    known_at = instant(as_known, "--as-known")
    with recorded(project) as records:
        yield records.snapshot(authority_of(project), known_at=known_at).ask


@contextmanager
def recorded(project: Project, views: Sequence[str] | None = None) -> Iterator[RecordedLog]:
    """All recorded events of a project, whether its worker runs or not. Raises BatonError without any."""
    records = _records(project, views)
    try:
        yield records
    finally:
        records.close()


def _records(project: Project, views: Sequence[str] | None) -> RecordedLog:
    door = SqlEndpoint.read(project.door_file)
    if door is not None:
        try:
            return RecordedLog.of_worker(door, views)
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
    return RecordedLog.of_file(project.warehouse_file, views)


def instant(text: str, option: str) -> datetime:
    """An ISO-8601 instant with a zone, or a day (its first moment in UTC). Raises BatonError (exit 2)."""
    try:
        found = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else text)
        if found.tzinfo is None:
            raise ValueError("it has no time zone")
    except ValueError as error:
        raise BatonError(
            f"{option} {text} is no instant",
            why=str(error),
            next_command=f"{option} 2026-03-01T00:00:00Z   (or a day, 2026-03-01)",
            exit_code=ExitCode.USAGE,
        ) from error
    return found
