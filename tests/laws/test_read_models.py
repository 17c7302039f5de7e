"""Read models hold what the views say over everything, however the log was cut and time went meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.agreement import InForce
from projections.playbook import DEFAULT_PLAYBOOK, parse_playbook, read_playbook
from projections.projection import Projection
from projections.relations import dependencies, relations, selected, stored_views
from projections.sql_literal import sql_literal
from schemas.catalogue import CATALOGUE
from tests.given import as_bytes, emptied, given, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import BIRTHS, MOMENTS, Emitted, arrivals, emitted_again, events_of, funnels
from warehouse.components import LINKS, linked_events
from warehouse.playbook_tables import store_playbooks
from warehouse.read_models import ReadModels, read_events
from warehouse.record_identity import MERGE_FACTS
from warehouse.warehouse import Warehouse

MOST_DISTANT = datetime(2030, 1, 1, tzinfo=UTC)
CONNECTING = sorted(
    {event.name for event in read_events(stored_views())}
    | {event.name for event in CATALOGUE.facts if event.table in MERGE_FACTS}
)


@st.composite
def dense(draw: st.DrawFn) -> list[Emitted]:
    """Many events about few records, of all kinds that connect two of them."""
    emitted = draw(st.lists(events_of(*CONNECTING), min_size=8, max_size=20))
    return emitted + draw(emitted_again(emitted, most=6))


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def read_models(shared: Warehouse) -> ReadModels:
    return ReadModels(shared.connection.cursor(), rebuild_from=1.0, piece_events=20)


@effort(10)
@for_all(data=st.data(), emitted=funnels() | dense())
def test_refreshing_what_changed_is_evaluating_everything(
    shared: Warehouse, read_models: ReadModels, data: st.DataObject, emitted: list[Emitted]
) -> None:
    """Copies that name other records, merges and their undoing, and clocks that go back included."""
    emptied(shared)
    values, cuts = data.draw(arrivals(emitted))
    edges = sorted({0, *cuts, len(values)})
    as_of = MOST_DISTANT
    for start, stop in zip(edges, edges[1:], strict=False):
        as_of = data.draw(BIRTHS | MOMENTS, label="as of")
        given(shared, values[start:stop])
        shared.pin_as_of(as_of, is_read_model=False)
        read_models.refresh()

    assert differing(shared, as_of) == []


def differing(warehouse: Warehouse, as_of: datetime) -> list[str]:
    """The stored views whose table does not hold the rows of its SELECT."""
    found = []
    for view in stored_views():
        select = view.evaluated(sql_literal(as_of))
        everything = selected(view.reads, sql_literal(as_of), f"from ({select})", ("funnel", "resolved"))
        kept = f"from stored.{view.name}"
        apart = f"(({kept}) except all ({everything})) union all (({everything}) except all ({kept}))"
        if warehouse.connection.execute(f"select count(*) from ({apart})").fetchall() != [(0,)]:
            found.append(view.name)
    return found


@pytest.mark.parametrize("view", stored_views(), ids=lambda view: view.name)
def test_a_stored_view_does_not_ask_for_the_time(view: Projection) -> None:
    """As-of says what had happened, which merge held and which playbook was in force, and nothing else."""
    read = dependencies().upstream([view.relation])
    asking = {name for name, each in relations().items() if name in read and "$as_of" in each.select}

    assert {name for name in asking if name.startswith("funnel.")} <= {
        "funnel.deal_event",  # which record a merged deal counts as
        "funnel.lead_identity",  # and which lead
        "funnel.condition_period",  # which playbooks were in force
    }


@pytest.mark.parametrize("view", stored_views(), ids=lambda view: view.name)
def test_a_stored_view_reads_facts_that_name_a_record(view: Projection) -> None:
    """Otherwise news would not say whose rows they change."""
    read = dependencies().upstream([view.relation])
    facts = {event.table for event in CATALOGUE.facts if f"facts.{event.table}" in read}

    assert view.stored in LINKS and view.stored in [column.name for column in view.columns]
    assert facts <= {event.table for event in linked_events()}


AS_OF = datetime(2026, 4, 1, tzinfo=UTC)


def touch(event_id: str, lead: str, day: int) -> dict[str, str | bool]:
    return {
        "type": "TouchRecorded",
        "event_id": event_id,
        "occurred_at": "2026-03-02T10:00:00Z",
        "recorded_at": f"2026-03-0{day}T10:00:00Z",
        "source": "test",
        "lead_id": lead,
        "team": "sales_development",
        "activity": "web_visit",
        "channel": "email",
        "is_inbound": True,
        "is_automated": False,
    }


def test_copies_that_name_two_leads_decide_together_ever_after() -> None:
    """The copy that counts names another lead than the one that the later news are about."""
    with in_memory(read_playbook()) as warehouse:
        warehouse.pin_as_of(AS_OF)
        for events in (
            [touch("copied", "one", 5), touch("copied", "other", 4)],
            [touch("news", "one", 6)],
        ):
            given(warehouse, as_bytes(events))
            ReadModels(warehouse.connection.cursor(), rebuild_from=1.0).refresh()
            assert differing(warehouse, AS_OF) == []


class Interrupted(ReadModels):
    """Something happens after the first piece."""

    def __init__(self, warehouse: Warehouse, meanwhile: Callable[[], None]) -> None:
        super().__init__(warehouse.cursor(), rebuild_from=1.0, piece_events=1)
        self.waiting = [meanwhile]

    def _evaluate(self, log: Any, facts: Any) -> None:
        super()._evaluate(log, facts)
        if self.waiting:
            self.waiting.pop()()


def killed() -> None:
    raise KeyboardInterrupt


def test_leads_merged_while_all_is_computed_count_once() -> None:
    """Some pieces are evaluated before the merge, others after it."""
    leads = [f"lead-{number}" for number in range(6)]
    merges = [
        {
            "type": "LeadsMerged",
            "event_id": f"merged-{lead}",
            "occurred_at": "2026-03-03T10:00:00Z",
            "recorded_at": "2026-03-03T10:00:00Z",
            "source": "test",
            "lead_id": leads[0],
            "merged_lead_id": lead,
        }
        for lead in leads[1:]
    ]
    with in_memory(read_playbook()) as warehouse:
        warehouse.pin_as_of(AS_OF, is_read_model=False)
        given(warehouse, as_bytes([touch(f"touch-{lead}", lead, 2) for lead in leads]))
        Interrupted(warehouse, lambda: given(warehouse, as_bytes(merges))).refresh()
        assert differing(warehouse, AS_OF) == []
        assert warehouse.ask("select lead_id from funnel.lead")[1] == [(leads[0],)]


def test_a_playbook_that_comes_into_force_while_all_is_computed_counts_in_all() -> None:
    other = DEFAULT_PLAYBOOK.read_text().replace('id = "0-49"', 'id = "tiny"')
    periods = [InForce(read_playbook(), None, AS_OF), InForce(parse_playbook(other), AS_OF, None)]
    with in_memory(read_playbook()) as warehouse:
        store_playbooks(warehouse.connection, periods)
        warehouse.pin_as_of(AS_OF - timedelta(days=1), is_read_model=False)
        given(warehouse, as_bytes([touch(f"touch-{number}", f"lead-{number}", 2) for number in range(6)]))
        Interrupted(warehouse, lambda: warehouse.pin_as_of(AS_OF, is_read_model=False)).refresh()
        assert differing(warehouse, AS_OF) == []


def test_a_build_that_comes_to_no_end_leaves_nothing() -> None:
    left = (
        "select count(*) from duckdb_tables()"
        " where schema_name = 'stored' and table_name similar to '(next|part)_.*'"
    )
    with in_memory(read_playbook()) as warehouse:
        warehouse.pin_as_of(AS_OF, is_read_model=False)
        given(warehouse, as_bytes([touch("touch", "lead", 2)]))
        with pytest.raises(KeyboardInterrupt):
            Interrupted(warehouse, killed).refresh()
        assert warehouse.ask(left)[1] != [(0,)]
        warehouse.refresh()
        assert warehouse.ask(left)[1] == [(0,)]
        assert differing(warehouse, AS_OF) == []
