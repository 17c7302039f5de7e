"""The sums of the shared goal: whatever the leads did, they come out to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import permutations
from math import prod
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import as_bytes, asked_anew, emptied, given, in_memory, shuffled
from tests.laws.records import effort
from warehouse.warehouse import Warehouse

Event = dict[str, Any]
QUARTER = datetime(2026, 3, 31, 22, tzinfo=UTC)
MOMENTS = st.sampled_from([datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 5, 16, 10, tzinfo=UTC)])
HOURS = st.integers(0, 24 * 9).map(lambda hours: timedelta(hours=hours))
MONEY = st.integers(0, 10**9).map(lambda cents: f"{Decimal(cents).scaleb(-2)}")
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD", "CHF"])  # nobody has a rate for the last


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


def _told(type_: str, at: datetime, **fields: Any) -> Event:
    said = {name: value for name, value in fields.items() if value is not None}
    return {"type": type_, "occurred_at": at.isoformat(), "source": "a source", **said}


@st.composite
def _life(draw: st.DrawFn, number: int) -> list[Event]:
    """A lead that goes as far as it goes, and may skip what it likes; sometimes a deal without a lead."""
    ids: Event = {"lead_id": f"lead-{number}" if draw(st.integers(0, 5)) else None}
    at = QUARTER + timedelta(days=draw(st.integers(-80, -40) | st.integers(-10, 15)))
    emitted = []
    if ids["lead_id"] is not None:
        emitted.append(_told("LeadCaptured", at, **ids, channel="web_form"))
        if draw(st.booleans()):
            at += draw(HOURS)
            emitted.append(
                _told("HandoffAccepted", at, **ids, handoff_id=f"handoff-{number}", owner="sdr-anna")
            )
    deal = {**ids, "opportunity_id": f"deal-{number}", "account_id": "account-1"}
    for type_ in ("OpportunityOpened", "OpportunityRevised", "OpportunityWon", "OpportunityLost"):
        if draw(st.integers(0, 9)) < (2 if type_ == "OpportunityLost" else 8):
            at += draw(HOURS)
            said: Event = {"amount": draw(MONEY), "currency": draw(CURRENCIES)}
            if type_ == "OpportunityLost":
                said = {"reason_code": "price"}
            if type_ == "OpportunityOpened":
                said["closes_on"] = "2026-05-20"
            own = {k: v for k, v in deal.items() if type_ != "OpportunityRevised" or k != "account_id"}
            emitted.append(_told(type_, at, **own, **said))
    return emitted


@st.composite
def quarters(draw: st.DrawFn) -> list[Event]:
    """Goals for a quarter, some leads before and in it, and a customer who may shrink."""
    emitted = [event for number in range(draw(st.integers(1, 12))) for event in draw(_life(number))]
    for team, metric in (("sales", "revenue"), ("customer_success", "retained_revenue")):
        said = {"goal_id": metric, "period": "2026-Q2", "owner_team": team, "metric": metric}
        worth = {"amount": draw(MONEY), "currency": "EUR"}
        emitted.append(_told("GoalSet", QUARTER - timedelta(days=200), **said, **worth))
    for type_, days in (("CustomerOnboarded", -100), ("SubscriptionContracted", 5)):
        said = {"account_id": "account-1", "subscription_id": "subscription-1", "currency": "EUR"}
        emitted.append(_told(type_, QUARTER + timedelta(days=days), **said, amount=draw(MONEY)))
    for event in emitted:
        event["recorded_at"] = event["occurred_at"]
    return emitted


def _asked(warehouse: Warehouse, values: list[bytes], as_of: datetime, query: str) -> list[tuple[Any, ...]]:
    given(emptied(warehouse), values)
    return asked_anew(warehouse, as_of, query).fetchall()


def _to_the_cent(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / value.denominator).quantize(Decimal("0.01"), ROUND_HALF_UP)


@effort(10)
@for_all(emitted=quarters(), as_of=MOMENTS)
def test_every_step_of_the_cascade_gives_the_goal_back(
    shared: Warehouse, emitted: list[Event], as_of: datetime
) -> None:
    rows = _asked(
        shared,
        as_bytes(emitted),
        as_of,
        "select goal_id, step, required, goal_amount, cases, booked, cascade.gap_amount, cascade.actual"
        " from funnel.goal_cascade as cascade join funnel.goal_cases using (goal_id, step)"
        " join funnel.goal_attainment using (goal_id)",
    )
    for _, _, required, goal, cases, booked, gap_amount, actual in rows:
        if booked == 0:
            assert required is None and gap_amount is None
            continue
        each = Fraction(booked) / cases
        assert _to_the_cent(Fraction(required) * each) == goal
        assert gap_amount == goal - _to_the_cent(Fraction(actual) * each)


@effort(8)
@for_all(emitted=quarters(), as_of=MOMENTS, seed=st.integers(0, 99))
def test_the_causes_add_up_to_the_gap_and_no_order_favours_anybody(
    shared: Warehouse, emitted: list[Event], as_of: datetime, seed: int
) -> None:
    query = (
        "select goal_id, cause, amount, gap, plan, actual from funnel.gap_bridge order by goal_id, position"
    )
    rows = _asked(shared, as_bytes(emitted), as_of, query)
    assert rows == _asked(shared, shuffled(as_bytes(emitted), seed), as_of, query)

    for goal_id in {row[0] for row in rows}:
        causes = [row for row in rows if row[0] == goal_id]
        assert [row[1] for row in causes][-2:] == ["retention", "unexplained"] and len(causes) == 8
        assert sum(row[2] for row in causes) == causes[0][3]
        if causes[0][4] is not None:
            plan = [row[4] for row in causes[:6]]
            actual = [row[4] if row[5] is None else row[5] for row in causes[:6]]
            taken = _walked(plan, actual)
            assert [float(row[2]) for row in causes[:6]] == pytest.approx(taken, rel=1e-9, abs=0.0051)
    attained = asked_anew(
        shared, as_of, "select period, metric, goal_amount - actual from funnel.goal_attainment"
    ).fetchall()
    whole = sum(gap for period, metric, gap in attained if period == "2026-Q2" and metric != "pipeline")
    assert {row[3] for row in rows if row[0] == "revenue"} == {whole}


def _walked(plan: list[float], actual: list[float]) -> list[float]:
    """What each factor takes away, averaged over all 720 orders."""
    taken = [0.0] * 6
    for order in permutations(range(6)):
        product = list(plan)
        for factor in order:
            before = prod(product)
            product[factor] = actual[factor]
            taken[factor] += before - prod(product)
    return [value / 720 for value in taken]


@effort(15)
@for_all(emitted=quarters(), as_of=MOMENTS)
def test_where_nothing_came_late_then_and_now_are_the_same(
    shared: Warehouse, emitted: list[Event], as_of: datetime
) -> None:
    rows = _asked(
        shared,
        as_bytes(emitted),
        as_of,
        "select open_pipeline_then, deals_then, goal_left_then, coverage_then,"
        " open_pipeline_now, deals_now, goal_left_now, coverage_now from funnel.pipeline_coverage",
    )
    for row in rows:
        assert row[:4] == row[4:]
    has_deals = any(e["type"].startswith("Opp") and e["occurred_at"] <= as_of.isoformat() for e in emitted)
    assert bool(rows) == has_deals and len(rows) % 3 == 0


@effort(8)
@for_all(emitted=quarters(), as_of=MOMENTS)
def test_goals_count_what_the_views_of_deals_and_customers_count(
    shared: Warehouse, emitted: list[Event], as_of: datetime
) -> None:
    query = "select metric, actual from funnel.goal_attainment where period = '2026-Q2'"
    actual = dict(_asked(shared, as_bytes(emitted), as_of, query))

    won = "select cents(coalesce(sum(exact_booked), 0)) from funnel.win where period = '2026-Q2'"
    kept = "select opening_arr - contraction - churn from funnel.retention where period = '2026-Q2'"
    assert asked_anew(shared, as_of, won).fetchone() == (actual["revenue"],)
    retained = asked_anew(shared, as_of, kept).fetchone()
    assert (retained or (Decimal("0.00"),)) == (actual["retained_revenue"],)


@effort(8)
@for_all(emitted=quarters(), as_of=MOMENTS, part=MONEY, scope=st.sampled_from([None, "company", "team"]))
def test_a_part_of_a_goal_is_never_added_to_it(
    shared: Warehouse, emitted: list[Event], as_of: datetime, part: str, scope: str | None
) -> None:
    queries = (
        "select looked_on, closes_in, goal_left_then, goal_left_now"
        " from funnel.pipeline_coverage order by all",
        "select goal_id, cause, gap, amount from funnel.gap_bridge where goal_id <> 'part' order by all",
    )
    said = {"goal_id": "part", "parent_goal_id": "revenue", "period": "2026-Q2", "owner_team": "marketing"}
    goal = _told(
        "GoalSet", QUARTER - timedelta(days=99), **said, metric="revenue", amount=part, currency="EUR",
        scope=scope,
    )  # fmt: skip

    whole = [_asked(shared, as_bytes(emitted), as_of, query) for query in queries]
    beside = [_asked(shared, as_bytes([*emitted, goal]), as_of, query) for query in queries]

    assert beside == whole


@effort(8)
@for_all(emitted=quarters(), as_of=MOMENTS)
def test_what_the_months_book_is_what_the_quarter_books(
    shared: Warehouse, emitted: list[Event], as_of: datetime
) -> None:
    months = ["2026-04", "2026-05", "2026-06"]
    for month in months:
        said = {"goal_id": month, "parent_goal_id": "revenue", "period": month, "owner_team": "sales"}
        set_at = QUARTER - timedelta(days=99)
        emitted.append(_told("GoalSet", set_at, **said, metric="revenue", amount="1.00", currency="EUR"))
    query = "select period, actual, n, unpriced from funnel.goal_attainment where metric = 'revenue'"
    found = {row[0]: row[1:] for row in _asked(shared, as_bytes(emitted), as_of, query)}

    actual, n, unpriced = zip(*(found[month] for month in months), strict=True)
    # Each sum is rounded once, so that three of them may be a cent off the one.
    assert abs(sum(actual) - found["2026-Q2"][0]) <= Decimal("0.01")
    assert (sum(n), sum(unpriced)) == found["2026-Q2"][1:]


def test_a_late_amount_changes_what_is_known_now_and_not_what_was_seen_then(shared: Warehouse) -> None:
    deal = {"opportunity_id": "deal-1"}
    opened = _told(
        "OpportunityOpened", datetime(2026, 3, 5, 9, tzinfo=UTC), **deal, account_id="account-1",
        amount="40000.00", currency="EUR", closes_on="2026-06-20", recorded_at="2026-03-05T09:00:01Z",
    )  # fmt: skip
    revised = _told(
        "OpportunityRevised", datetime(2026, 4, 20, 9, tzinfo=UTC), **deal,
        amount="60000.00", currency="EUR", recorded_at="2026-05-03T09:00:00Z",
    )  # fmt: skip
    query = (
        "select looked_on::varchar, open_pipeline_then::varchar, open_pipeline_now::varchar"
        " from funnel.pipeline_coverage where horizon = 'current' order by looked_on"
    )
    as_of = datetime(2026, 5, 16, 10, tzinfo=UTC)

    on_time = _asked(shared, as_bytes([opened]), as_of, query)
    late = _asked(shared, as_bytes([opened, revised]), as_of, query)

    assert [row[1] for row in on_time] == ["40000.00", "40000.00", "40000.00"]
    assert late == [
        ("2026-04-01", "40000.00", "40000.00"),
        ("2026-05-01", "40000.00", "60000.00"),
        ("2026-05-16", "60000.00", "60000.00"),
    ]
