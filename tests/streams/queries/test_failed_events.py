"""Failed records by their places: how many are dismissed, however many are named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.errors import BatonError
from streams.project import Project
from streams.queries.failed_events import dismiss, list_failed
from streams.queries.warehouse_access import open_warehouse
from warehouse.commit import Batch, failed_table
from warehouse.sql_endpoint import serve_sql

MANY = 40_000


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A worker's statement server over many failed records: statements to it have a longest length."""
    project = Project.here({}, tmp_path_factory.mktemp("project"))
    project.make_folders()
    rows = [
        ("funnel.sales", 0, offset, None, "decode", "unknown bytes", None, None, b"?")
        for offset in range(MANY)
    ]
    with open_warehouse(project) as warehouse:
        warehouse.committer().commit(Batch({}, failed_table(rows)))
        serve_sql(warehouse.connection).save(project.numbers.endpoint)
        yield project


def test_so_many_single_places_are_dismissed_as_fit_a_command_and_are_named_ever_after(
    project: Project,
) -> None:
    odd = [f"funnel.sales/0/{offset}" for offset in range(1, MANY, 2)]

    assert dismiss(project, odd[::-1], "a test") == len(odd)
    assert dismiss(project, odd, "again") == 0
    found = list_failed(project, 3)
    assert (found.count, found.dismissed) == (MANY - len(odd), len(odd))
    assert dismiss(project, [], "the rest") == MANY - len(odd)
    assert list_failed(project, 3).count == 0


def test_a_place_that_has_not_failed_dismisses_nothing(project: Project) -> None:
    before = list_failed(project, 1).dismissed
    with pytest.raises(BatonError, match="no such failed record") as caught:
        dismiss(project, ["funnel.sales/0/2", f"funnel.sales/0/{MANY}"], "a test")
    assert caught.value.where == f"funnel.sales/0/{MANY}"
    assert list_failed(project, 1).dismissed == before
