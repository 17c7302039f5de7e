"""The sums a reader checks in the head: they must come out for every funnel, however odd."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given as for_all

from projections.playbook import read_playbook
from tests.given import given
from tests.laws.records import effort
from tests.laws.small_funnels import MOMENTS, Emitted, funnels
from tests.laws.test_semilattice import emptied
from warehouse.warehouse import Warehouse

STATES = (
    "not_arrived",
    "waiting",
    "at_risk",
    "past_due",
    "accepted_untouched",
    "being_worked",
    "returned_unacknowledged",
    "returned_acknowledged",
    "recycled",
    "converted",
    "lost",
)
SEGMENTS = (
    "segment_integration",
    "segment_routing",
    "segment_answer",
    "segment_attempt",
    "segment_off_hours",
    "segment_buyer",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with Warehouse.open(None, read_playbook()) as warehouse:
        yield warehouse


def looked_at(warehouse: Warehouse, emitted: list[Emitted], as_of: datetime) -> Warehouse:
    """A warehouse that holds just this, read at `as_of`."""
    given(emptied(warehouse), [event.value for event in emitted])
    warehouse.pin_as_of(as_of)
    return warehouse


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_who_entered_a_stage_advanced_or_was_lost_or_was_returned_or_is_still_there(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    rows = (
        looked_at(shared, emitted, as_of)
        .connection.execute(
            "select stage, entered, advanced, lost, returned, elsewhere, still_there, inferred,"
            " advanced_in_period, cohort_rate, in_period_rate, open_rate from funnel.funnel_stage"
        )
        .fetchall()
    )
    for stage, entered, advanced, lost, returned, elsewhere, still_there, inferred, in_period, *rates in rows:
        assert entered == advanced + lost + returned + elsewhere + still_there
        assert 0 <= inferred <= entered
        assert entered or in_period, "a row without entries or advances says nothing"
        # From the last stage nobody can advance, so it has no rates.
        has_rates = entered and stage != "won"
        shares = [advanced / entered, in_period / entered, still_there / entered] if has_rates else [None] * 3
        assert rates == shares

    leads = {event.record["lead_id"] for event in emitted if event.record.get("lead_id")}
    ends = sum(row[1] - row[2] for row in rows)
    assert ends <= len(leads), "a lead ends in one stage at most"
    assert sum(row[8] for row in rows) == sum(row[2] for row in rows), "every advance lies in one window"


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_latency_segments_add_up_to_the_latency(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    rows = (
        looked_at(shared, emitted, as_of)
        .connection.execute(
            f"select total_minutes, elapsed_minutes, business_minutes, segment_answer, {', '.join(SEGMENTS)}"
            " from funnel.handoff_latency"
        )
        .fetchall()
    )
    for total, elapsed, business, answer, *segments in rows:
        assert sum(minutes or 0.0 for minutes in segments) == pytest.approx(total, abs=1e-6)
        assert answer == business
        assert elapsed is None or abs(business) <= abs(elapsed), "open time is a part of the time"


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_every_handoff_is_in_exactly_one_state_and_the_states_add_up(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    connection = looked_at(shared, emitted, as_of).connection
    states = connection.execute("select state, handoffs from funnel.black_hole order by position").fetchall()
    handoffs = connection.execute("select handoff_id, state from funnel.handoff").fetchall()
    latencies = connection.execute("select handoff_id from funnel.handoff_latency").fetchall()

    offers = [event for event in emitted if event.type == "HandoffOffered"]
    offered = {event.record["handoff_id"] for event in offers if event.record["occurred_at"] <= as_of}
    assert tuple(state for state, _ in states) == STATES
    assert sorted(handoff for handoff, _ in handoffs) == sorted(offered)
    assert sorted(handoff for (handoff,) in latencies) == sorted(offered)
    assert dict(states) == {name: sum(state == name for _, state in handoffs) for name in STATES}
