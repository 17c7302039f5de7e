"""Deals: whatever is reported of them, each is open, won, lost or a credit, once, in every number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests import oracle
from tests.given import as_bytes, asked_anew, emptied, given, in_memory
from tests.laws.records import effort
from tests.oracle.comparison import compare
from warehouse.warehouse import Warehouse

Event = dict[str, Any]
PLAYBOOK = oracle.Playbook()
BEGAN = datetime(2026, 3, 30, 9, tzinfo=UTC)
MOMENTS = st.sampled_from(
    [BEGAN + timedelta(days=days, hours=hours) for days in (0, 1, 2, 35, 100) for hours in (0, 0, 1, 12)]
)
AS_OF = st.sampled_from([BEGAN + timedelta(days=days) for days in (1, 40, 120)])
KINDS = st.sampled_from("Opened Opened Revised StageEntered StageEntered Won Won Lost Reopened".split())
AMOUNTS = st.sampled_from(["0.00", "10.00", "33.335", "-5.00"])
CURRENCIES = st.sampled_from(["EUR", "USD", "CHF"])  # nobody named a rate for CHF
DAYS = st.sampled_from(["2026-03-31", "2026-04-30", "2026-07-01", "2026-12-24", "2027-05-05"])
COMPARED = (
    "opportunity", "win", "deal_lead", "deal_stay", "deal_stage", "win_rate", "booking", "pipeline_coverage",
)  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> Event:
    """One event of one of three deals, complete or not, known to the minute or by day."""
    kind, at = draw(KINDS), draw(MOMENTS)
    event: Event = {"type": f"Opportunity{kind}", "source": "crm", "recorded_at": at.isoformat()}
    event["opportunity_id"] = draw(st.sampled_from(["deal-1", "deal-2", "deal-3"]))
    event["event_id"] = f"event-{draw(st.integers(0, 10**6))}"
    if draw(st.integers(0, 3)) == 0:
        event["occurred_on"] = at.date().isoformat()
    else:
        event["occurred_at"] = at.isoformat()
    if kind in ("Opened", "Won") and draw(st.booleans()):
        event["account_id"] = draw(st.sampled_from(["account-1", "account-2"]))
    if kind != "Reopened" and draw(st.integers(0, 2)) == 0:
        event["lead_id"] = draw(st.sampled_from(["lead-1", "lead-2"]))
    if kind in ("Opened", "Revised", "Won") and draw(st.booleans()):
        amount = draw(AMOUNTS)
        if kind == "Won" or not amount.startswith("-"):
            event |= {"amount": amount, "currency": draw(CURRENCIES)}
    if kind in ("Opened", "Revised") and draw(st.booleans()):
        event["closes_on"] = draw(DAYS)
    if kind == "StageEntered" or (kind == "Opened" and draw(st.booleans())):
        event["stage"] = draw(st.sampled_from(["discovery", "proposal", "a stage of nobody's"]))
    if kind == "Lost":
        event["reason_code"] = "price"
    return event


OPEN_DEALS = "select count(*) from funnel.opportunity where status = 'open'"
STORIES = st.lists(reports(), min_size=1, max_size=14, unique_by=lambda event: event["event_id"])


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


def asked(warehouse: Warehouse, as_of: datetime, query: str) -> Sequence[tuple[Any, ...]]:
    return asked_anew(warehouse, as_of, query).fetchall()


@effort(10)
@for_all(story=STORIES, as_of=AS_OF)
def test_the_rows_of_coverage_add_up_to_the_open_deals_of_every_day(
    shared: Warehouse, story: list[Event], as_of: datetime
) -> None:
    given(emptied(shared), as_bytes(story))
    looks = asked(
        shared,
        as_of,
        "select looked_on, sum(deals_now)::int, case when looked_on = max(looked_on) over (partition by true)"
        f" then timestamptz '{as_of.isoformat()}' else day_begins(looked_on, 'UTC') end"
        " from funnel.pipeline_coverage group by looked_on",
    )
    for looked_on, deals, looked_at in looks:
        ((open_deals,),) = asked(shared, looked_at, OPEN_DEALS)
        assert deals == open_deals, f"on {looked_on}"


@effort(10)
@for_all(story=STORIES, as_of=AS_OF)
def test_the_parts_of_the_win_rate_add_up_to_the_deals_and_bookings_to_what_was_booked(
    shared: Warehouse, story: list[Event], as_of: datetime
) -> None:
    given(emptied(shared), as_bytes(story))
    of_deals = asked(shared, as_of, "select status, count(*)::int from funnel.deal group by status")
    count = {"open": 0, "won": 0, "lost": 0, "credit": 0, **dict(of_deals)}
    for parts in asked(
        shared,
        as_of,
        "select sum(opened)::int, sum(won)::int, sum(lost)::int, sum(still_open)::int,"
        " sum(won_in_period)::int, sum(lost_in_period)::int from funnel.win_rate group by unit",
    ):
        decided = [count["won"], count["lost"]]
        assert [*parts] == [sum(decided) + count["open"], *decided, count["open"], *decided]

    ((booked, wins),) = asked(shared, as_of, "select cents(sum(exact_booked)), count(*) from funnel.win")
    for total, won, credits, rows in asked(
        shared,
        as_of,
        "select sum(booked), sum(won)::int, sum(credits)::int, count(*) from funnel.booking group by unit",
    ):
        assert [won, credits, won + credits] == [count["won"], count["credit"], wins]
        assert abs((booked or 0) - total) <= rows / 200, "a row is rounded once, to the cent"

    stages = asked(
        shared,
        as_of,
        "select deals, entered, forward + back + elsewhere + won + lost, n from funnel.deal_stage",
    )
    assert [(sum(deals for deals, *_ in stages),)] == asked(shared, as_of, OPEN_DEALS)
    assert all(ended == n <= entered for _, entered, ended, n in stages)


@effort(10)
@for_all(story=STORIES, as_of=AS_OF)
def test_whoever_reads_the_events_from_the_top_tells_the_same_story(
    shared: Warehouse, story: list[Event], as_of: datetime
) -> None:
    given(emptied(shared), as_bytes(story))
    shared.pin_as_of(as_of)
    log = oracle.Log.from_events(story)
    for view in COMPARED:
        expected = oracle.rows(view, log, PLAYBOOK, as_of)
        assert not compare(shared.connection.execute, view, oracle.KEYS[view], expected).differences, view
