"""Access to the warehouse: through the file when no worker answers, and a plain error when there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import BatonError, ExitCode
from streams.local.broker import free_ports
from streams.project import Project
from streams.queries.warehouse_access import (
    ask_warehouse,
    asking,
    open_existing_warehouse,
    open_warehouse,
    recorded,
)
from warehouse.sql_endpoint import SqlEndpoint

STATEMENT = "select count(*) as n from funnel.handoff_pair"


def ask_live(project: Project) -> object:
    with asking(project) as ask:
        return ask(STATEMENT)


def ask_the_past(project: Project) -> object:
    with asking(project, datetime(2026, 3, 1, tzinfo=UTC)) as ask:
        return ask(STATEMENT)


def count_records(project: Project) -> object:
    with recorded(project) as records:
        return records.count()


def open_the_file(project: Project) -> object:
    with open_existing_warehouse(project) as warehouse:
        return warehouse.ask(STATEMENT)


WAYS: dict[str, tuple[Callable[[Project], object], object]] = {
    "one statement": (lambda project: ask_warehouse(project, STATEMENT), (["n"], [(0,)])),
    "one statement after another": (ask_live, (["n"], [(0,)])),
    "as known at an instant": (ask_the_past, (["n"], [(0,)])),
    "all recorded events": (count_records, 0),
    "the file itself": (open_the_file, (["n"], [(0,)])),
}


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A project in which no worker has run."""
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    project.make_folders()
    return project


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose worker was killed: its file is free, and the address of its endpoint is still there."""
    folder = tmp_path_factory.mktemp("left_behind")
    project = Project(home=folder / ".baton", cwd=folder)
    project.make_folders()
    open_warehouse(project).close()
    SqlEndpoint(f"quack:127.0.0.1:{free_ports()[0]}", "token").save(project.endpoint_file)
    return project


@pytest.mark.parametrize("way", WAYS)
def test_without_a_warehouse_the_next_command_makes_one(way: str, empty: Project) -> None:
    with pytest.raises(BatonError) as caught:
        WAYS[way][0](empty)
    assert caught.value.what == "There is no warehouse yet"
    assert (caught.value.next_command, caught.value.exit_code) == ("baton up", ExitCode.CONFIGURATION)
    assert not empty.warehouse_file.exists(), "asking creates nothing"


@pytest.mark.parametrize("way", WAYS)
def test_the_address_of_a_dead_worker_does_not_keep_the_file_from_being_read(
    way: str, left_behind: Project
) -> None:
    ask, answer = WAYS[way]
    assert ask(left_behind) == answer
