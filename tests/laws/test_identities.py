"""The sums a reader checks in the head: they must come out for every funnel, however odd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as for_all

from projections.playbook import read_playbook
from tests.given import asked_anew, emptied, given, in_memory
from tests.laws.records import effort
from tests.laws.small_funnels import MOMENTS, Emitted, funnels
from warehouse.warehouse import Warehouse

Asked = Callable[[str], list[tuple[Any, ...]]]
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
    "moot",
)
SEGMENTS = (
    "segment_integration",
    "segment_routing",
    "segment_answer",
    "segment_attempt",
    "segment_off_hours",
    "segment_paused",
    "segment_buyer",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


def looked_at(warehouse: Warehouse, emitted: list[Emitted], as_of: datetime) -> Asked:
    """A warehouse that holds just this, asked at `as_of`."""
    given(emptied(warehouse), [event.value for event in emitted])
    return lambda query: asked_anew(warehouse, as_of, query).fetchall()


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_who_entered_a_stage_advanced_or_was_lost_or_was_returned_or_is_still_there(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    rows = looked_at(shared, emitted, as_of)(
        "select stage, entered, advanced, lost, returned, elsewhere, still_there, inferred,"
        " advanced_in_period, cohort_rate, in_period_rate, open_rate from funnel.funnel_stage"
    )
    for stage, entered, advanced, lost, returned, elsewhere, still_there, inferred, in_period, *rates in rows:
        assert entered == advanced + lost + returned + elsewhere + still_there
        assert 0 <= inferred <= entered
        assert entered or in_period, "a row without entries or advances says nothing"
        # From the last stage nobody can advance, so it has no rates.
        has_rates = entered and stage != "won"
        shares = [advanced / entered, in_period / entered, still_there / entered] if has_rates else [None] * 3
        assert rates == shares

    assert sum(row[8] for row in rows) == sum(row[2] for row in rows), "every advance lies in one window"


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_each_pass_ends_in_one_stage_and_the_next_begins_after_it(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    asked = looked_at(shared, emitted, as_of)
    passes = asked(
        "select lead_id, pass, began_at, ended_at, outcome from funnel.lead_pass order by lead_id, pass"
    )
    stages = asked("select lead_id, pass, outcome, entered_at, advanced_at from funnel.lead_stage")
    outcomes: dict[tuple[str, int], list[str]] = defaultdict(list)
    for lead_id, number, outcome, entered_at, advanced_at in stages:
        outcomes[lead_id, number].append(outcome)
        assert advanced_at is None or advanced_at >= entered_at, "a stage is not left before it is entered"

    assert outcomes.keys() == {(lead_id, number) for lead_id, number, *_ in passes}
    for entered in outcomes.values():
        assert len(entered) == entered.count("advanced") + 1, "it has advanced from every stage but one"
    for (lead_id, number, _, ended_at, outcome), following in pairwise([*passes, (None, 1, None, None, "")]):
        assert (ended_at is None) == (outcome == "open")
        if following[0] == lead_id:
            assert following[1] == number + 1 and ended_at < following[2], "a pass follows one that has ended"
        else:
            assert following[1] == 1

    rows = asked(
        "select from_stage, to_stage, entered, converted, undecided, converted_within_7_days,"
        " converted_within_14_days, converted_within_30_days, converted_within_90_days"
        " from funnel.stage_conversion"
    )
    for _, _, entered, converted, undecided, *within in rows:
        assert [*within, converted] == sorted([*within, converted]) and converted + undecided <= entered


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_latency_segments_add_up_to_the_latency(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    rows = looked_at(shared, emitted, as_of)(
        "select total_minutes, elapsed_minutes, business_minutes, is_clock_suspect, segment_answer,"
        f" {', '.join(SEGMENTS)} from funnel.handoff_latency"
    )
    for total, elapsed, business, is_suspect, answer, *segments in rows:
        assert sum(minutes or 0.0 for minutes in segments) == pytest.approx(total, abs=1e-6)
        assert all(minutes is None or minutes >= 0 for minutes in segments)
        assert answer == (None if is_suspect else business)
        assert elapsed is None or abs(business) <= abs(elapsed), "open time is a part of the time"


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_every_obligation_has_one_outcome_and_its_spans_are_its_minutes(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    asked = looked_at(shared, emitted, as_of)
    owed = asked(
        "select sla, count(*), count(*) filter (where outcome = 'met'),"
        " count(*) filter (where outcome = 'missed'), count(*) filter (where outcome = 'open'),"
        " count(*) filter (where outcome = 'lapsed'), count(*) filter (where outcome = 'moot')"
        " from funnel.obligation group by sla"
    )
    for _, episodes, *outcomes in owed:
        assert sum(outcomes) == episodes

    spent = asked(
        "select handoff_id, sla, episode, any_value(owed.used_minutes), sum(span.used_minutes),"
        " any_value(owed.allowed_minutes), any_value(outcome), any_value(ended_at),"
        " list((from_at, until_at) order by from_at)"
        " from funnel.obligation as owed join funnel.obligation_span as span using (handoff_id, sla, episode)"
        " group by handoff_id, sla, episode"
    )
    assert len(spent) == sum(row[1] for row in owed), "each has a span"
    for _, _, _, used, in_spans, allowed, outcome, ended_at, spans in spent:
        assert in_spans == pytest.approx(used, abs=1e-6)
        assert (outcome == "missed") == (used > allowed)
        assert (outcome == "open") <= (ended_at is None)
        assert all(before[1] == after[0] for before, after in pairwise(spans)), "without a gap"


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_a_later_event_changes_no_answer_and_takes_back_nothing_missed(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    """As-of alone moves: what was missed stays missed, and what was answered stays as it was answered.

    Merges are left out, for one may bring contact with it.
    """
    emitted = [event for event in emitted if event.type not in ("LeadsMerged", "LeadsUnmerged")]
    asked = looked_at(shared, emitted, as_of)
    answers = "select handoff_id, outcome, met_at, used_minutes from funnel.obligation where sla = 'answer'"
    before = {row[0]: row[1:] for row in asked(answers)}
    later = asked_anew(shared, as_of + timedelta(days=30), answers).fetchall()
    after = {row[0]: row[1:] for row in later}

    for handoff_id, (outcome, met_at, used) in before.items():
        if outcome in ("met", "missed"):
            assert after[handoff_id][0] == outcome
        if met_at is not None:
            assert after[handoff_id] == (outcome, met_at, used)


@effort(15)
@for_all(emitted=funnels(), as_of=MOMENTS)
def test_every_handoff_is_in_exactly_one_state_and_the_states_add_up(
    shared: Warehouse, emitted: list[Emitted], as_of: datetime
) -> None:
    asked = looked_at(shared, emitted, as_of)
    states = asked("select state, handoffs from funnel.black_hole order by position")
    handoffs = asked("select handoff_id, state from funnel.handoff")
    latencies = asked("select handoff_id from funnel.handoff_latency")

    offered = asked("select distinct handoff_id from resolved.handoff_offered order by all")
    assert tuple(state for state, _ in states) == STATES
    assert sorted((handoff,) for handoff, _ in handoffs) == offered
    assert sorted(latencies) == offered
    assert dict(states) == {name: sum(state == name for _, state in handoffs) for name in STATES}
