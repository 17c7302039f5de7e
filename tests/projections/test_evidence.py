"""Which events stand behind a row: every view has an answer, and every answer has the view's own keys."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from projections.playbook import read_playbook
from projections.projection import Projection, views
from projections.resolved_facts import SUBJECTS
from streams.queries.explanation import EVIDENCE_FOLDER, evidence
from tests.given import in_memory
from warehouse.warehouse import Warehouse

AS_OF = datetime(2026, 4, 1, tzinfo=UTC)
FILES = sorted(path.stem for path in EVIDENCE_FOLDER.glob("*.sql"))
VIEWS = {view.name: view for view in views()}
WITHOUT = {"failed_events": "its records never became events"}


@pytest.fixture(scope="module")
def warehouse() -> Warehouse:
    return in_memory(read_playbook())


@pytest.mark.parametrize("view", VIEWS.values(), ids=list(VIEWS))
def test_a_view_has_a_file_or_a_subject_or_a_reason(view: Projection) -> None:
    ways = [view.name in FILES, view.name in WITHOUT]
    assert any(ways) or set(view.key) & set(SUBJECTS), "write projections/evidence/NAME.sql"
    assert not all(ways)


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in WITHOUT])
def test_its_columns_are_the_key_and_the_event(warehouse: Warehouse, name: str) -> None:
    view = VIEWS[name]
    ask = warehouse.connection.execute
    types = {row[0]: row[1] for row in ask(f"describe funnel.{name}").fetchall()}

    described = [(row[0], row[1]) for row in ask(f"describe {evidence(view, AS_OF)}").fetchall()]

    event = [(c, "VARCHAR") for c in ("event_type", "event_id") if c not in view.key]
    assert described == [*((column, types[column]) for column in view.key), *event]
