"""The sums of the customer's journey: retention of a closed cohort, completeness of a group, promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.playbook import read_playbook
from tests.given import as_bytes, asked_anew, emptied, given, in_memory
from tests.laws.records import effort
from warehouse.warehouse import Warehouse

Event = dict[str, Any]

BEGIN = datetime(2025, 11, 15, tzinfo=UTC)
AS_OF = datetime(2026, 8, 10, 12, tzinfo=UTC)
# Ends and begins of quarters, ties, and days between.
MOMENTS = st.one_of(
    st.integers(0, 268).map(lambda day: BEGIN + timedelta(days=day)),
    st.sampled_from(
        [
            datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 4, 1, tzinfo=UTC),
            AS_OF,
            AS_OF + timedelta(microseconds=1),
        ]
    ),
)
MOMENTS_OF_ONE_DAY = ("2026-02-01T09:00:00+00:00", "2026-02-01T10:00:00+00:00")
AMOUNTS = st.sampled_from(["0.00", "0.01", "100.00", "250.55", "99999999999999.9999"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD", "GBP", "CHF"])  # the last has no rate
SUBSCRIPTIONS = st.sampled_from(["sub-1", "sub-2"])
KINDS = st.sampled_from(["Renewed", "Expanded", "Expanded", "Contracted", "Churned"])
COUNTED = "customers, opening_arr, expansion, contraction, churn, closing_arr, nrr, grr, churned_customers, n"
VIEWS = (
    "buying_group",
    "buying_group_account",
    "promise_ledger",
    "promise_churn",
    "retention",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Warehouse]:
    with in_memory(read_playbook()) as warehouse:
        yield warehouse


@st.composite
def customer_events(draw: st.DrawFn, account: st.SearchStrategy[str]) -> Event:
    event: Event = {
        "occurred_at": draw(MOMENTS).isoformat(),
        "source": "gainsight",
        "account_id": draw(account),
        "amount": draw(AMOUNTS),
        "currency": draw(CURRENCIES),
    }
    if draw(st.integers(0, 2)) == 0:
        named = draw(st.none() | SUBSCRIPTIONS)
        return {**event, "type": "CustomerOnboarded"} | ({"subscription_id": named} if named else {})
    kind = draw(KINDS)
    reason = {"reason_code": "price"} if kind == "Churned" else {}
    return {**event, "type": f"Subscription{kind}", "subscription_id": draw(SUBSCRIPTIONS), **reason}


@st.composite
def members(draw: st.DrawFn) -> Event:
    return {
        "type": "BuyingGroupMemberIdentified",
        "occurred_at": draw(MOMENTS).isoformat(),
        "source": "salesforce",
        "account_id": draw(ACCOUNTS),
        "contact_id": draw(CONTACTS),
        "role": draw(st.sampled_from(["champion", "economic_buyer", "user", "user", "technical", "nobody"])),
    }


@st.composite
def signals(draw: st.DrawFn) -> Event:
    return {
        "type": "TouchRecorded",
        "occurred_at": draw(MOMENTS).isoformat(),
        "source": "hubspot",
        "lead_id": "lead-1",
        "contact_id": draw(CONTACTS),
        "team": "marketing",
        "channel": "email",
        "activity": "email_clicked",
        "is_inbound": draw(st.booleans()),
        "is_automated": draw(st.booleans()),
    }


@st.composite
def deals(draw: st.DrawFn) -> Event:
    return {
        "type": "OpportunityOpened",
        "occurred_at": draw(MOMENTS).isoformat(),
        "source": "salesforce",
        "opportunity_id": draw(st.sampled_from(["deal-1", "deal-2"])),
        "account_id": draw(ACCOUNTS),
    }


@st.composite
def promises(draw: st.DrawFn) -> Event:
    event: Event = {
        "type": draw(st.sampled_from(["PromiseMade", "PromiseMade", "PromiseKept", "PromiseMissed"])),
        "occurred_at": draw(MOMENTS).isoformat(),
        "source": "gainsight",
        "promise_id": draw(st.sampled_from(["promise-1", "promise-2", "promise-3"])),
        "account_id": draw(ACCOUNTS),
    }
    if event["type"] == "PromiseMade":
        event |= {"made_by": "ida", "promise": "Soon.", "due_on": "2026-05-01"}
    return event


ACCOUNTS = st.sampled_from(["account-1", "account-2", "account-3"])
CONTACTS = st.sampled_from([f"contact-{number}" for number in range(6)])
CUSTOMERS = st.lists(customer_events(ACCOUNTS), min_size=1, max_size=14)
GROUPS = st.lists(st.one_of(members(), members(), signals(), deals()), min_size=1, max_size=25)


def rows(warehouse: Warehouse, events: Sequence[Event], query: str) -> list[tuple[Any, ...]]:
    """What a query says of just these events."""
    given(emptied(warehouse), as_bytes(events))
    return asked_anew(warehouse, AS_OF, query).fetchall()


@effort(25)
@for_all(events=CUSTOMERS)
def test_a_cohort_closes_with_what_it_opened_with_and_what_happened_to_it(
    shared: Warehouse, events: list[Event]
) -> None:
    found = rows(shared, events, f"select period, {COUNTED} from funnel.retention order by period")

    for _, customers, opening, expansion, contraction, churn, closing, nrr, grr, churned, n in found:
        assert opening + expansion - contraction - churn == closing, "to the cent"
        assert min(expansion, contraction, churn, closing) >= 0
        assert 0 <= churned <= customers == n
        assert (customers > 0) == (opening > 0) == (nrr is not None) == (grr is not None)
        if opening:
            assert 0 <= grr <= 1
            assert grr <= nrr
            assert nrr == pytest.approx(float(closing) / float(opening))


@effort(20)
@for_all(events=CUSTOMERS)
def test_one_quarter_opens_with_what_the_last_one_closed_with_and_who_came(
    shared: Warehouse, events: list[Event]
) -> None:
    found = rows(
        shared,
        events,
        "select opening_arr, closing_arr + new_arr + reactivated_arr from funnel.retention order by period",
    )

    for (_, left), (opening, _) in zip(found, found[1:], strict=False):
        assert opening == left
    assert not found or found[0][0] == Decimal(0), "before the first event there is nobody"


@effort(20)
@for_all(events=CUSTOMERS, day=st.integers(0, 268), amount=AMOUNTS)
def test_a_new_customer_changes_neither_rate_of_the_quarter_they_come_in(
    shared: Warehouse, events: list[Event], day: int, amount: str
) -> None:
    came_at = BEGIN + timedelta(days=day)
    new = {
        "type": "CustomerOnboarded",
        "occurred_at": came_at.isoformat(),
        "source": "gainsight",
        "account_id": "newcomer",
        "subscription_id": "sub-new",
        "amount": amount,
        "currency": "EUR",
    }
    query = f"select period, {COUNTED} from funnel.retention where starts_on <= date '{came_at.date()}'"

    before = {row[0]: row[1:] for row in rows(shared, events, query)}
    after = {row[0]: row[1:] for row in rows(shared, [*events, new], query)}

    # Their coming may add quarters before the first event of all; nobody is in the cohort of those.
    assert {period: after[period] for period in before} == before
    assert all(after[period][0] == 0 for period in after.keys() - before.keys())


@effort(25)
@for_all(data=st.data(), events=st.lists(customer_events(ACCOUNTS), min_size=2, max_size=12))
def test_what_happens_in_one_instant_does_not_depend_on_names_or_order(
    shared: Warehouse, data: st.DataObject, events: list[Event]
) -> None:
    queries = (
        f"select period, {COUNTED}, all_expansion, all_contraction from funnel.retention order by all",
        "select account_id, subscription_id, from_at, until_at, exact_amount"
        " from funnel.subscription_revenue order by all",
        "select account_id, churned_at from funnel.account_churn order by all",
    )
    at_once = [{**event, "occurred_at": MOMENTS_OF_ONE_DAY[i % 2]} for i, event in enumerate(events)]
    named = [{**event, "event_id": f"event-{i:02}"} for i, event in enumerate(at_once)]
    names = data.draw(st.permutations([event["event_id"] for event in named]))
    renamed = [{**event, "event_id": name} for event, name in zip(named, names, strict=True)]

    rows(shared, named, "select 1")
    before = [asked_anew(shared, AS_OF, query).fetchall() for query in queries]
    rows(shared, data.draw(st.permutations(renamed)), "select 1")

    assert [asked_anew(shared, AS_OF, query).fetchall() for query in queries] == before


@effort(20)
@for_all(events=CUSTOMERS)
def test_the_movements_lead_from_the_start_to_the_end(shared: Warehouse, events: list[Event]) -> None:
    found = rows(
        shared,
        events,
        "select opening_arr, all_expansion, all_contraction, closing_arr, expansion, contraction + churn"
        " from funnel.retention",
    )

    for opening, rises, falls, closing, expansion, lost in found:
        assert opening + rises - falls == closing
        assert min(rises, falls) >= 0
        # Netting takes as much from the one as from the other; a cent is what rounding may move.
        assert rises - expansion == falls - lost >= Decimal("-0.01")


@effort(25)
@for_all(events=GROUPS)
def test_completeness_lies_between_nothing_and_everything(shared: Warehouse, events: list[Event]) -> None:
    roles = rows(
        shared,
        events,
        "select account_id, is_required, wanted, assigned, engaged, assigned_completeness,"
        " engaged_completeness, filled_at from funnel.buying_group",
    )
    groups = asked_anew(
        shared,
        AS_OF,
        "select account_id, assigned_completeness, engaged_completeness, completed_at, state"
        " from funnel.buying_group_account",
    ).fetchall()

    for _, _, wanted, assigned, engaged, known, talking, filled_at in roles:
        assert 0 <= talking <= known <= 1
        assert 0 <= engaged <= assigned
        assert (known == 1) == (assigned >= wanted) == (filled_at is not None)
    for account, known, talking, completed_at, state in groups:
        required = [row for row in roles if row[0] == account and row[1]]
        assert known == pytest.approx(sum(row[5] for row in required) / len(required))
        assert 0 <= talking <= known <= 1
        assert (known == 1) == (completed_at is not None)
        assert state in ("no_deal", "met", "due", "past_due", "at_risk", "open")


@effort(8)
@for_all(
    data=st.data(), events=st.lists(st.one_of(promises(), customer_events(ACCOUNTS), deals()), max_size=14)
)
def test_order_decides_nothing(shared: Warehouse, data: st.DataObject, events: list[Event]) -> None:
    groups = data.draw(st.lists(st.one_of(members(), signals()), max_size=8))
    emitted = as_bytes([{**event, "recorded_at": "2026-08-10T12:00:00Z"} for event in events + groups])
    mixed = data.draw(st.permutations(emitted + emitted[:3]))

    given(emptied(shared), emitted)
    at_once = _said(shared)
    given(emptied(shared), mixed, cuts=[len(mixed) // 2])

    assert _said(shared) == at_once


@effort(20)
@for_all(events=st.lists(st.one_of(promises(), customer_events(ACCOUNTS)), min_size=1, max_size=14))
def test_every_customer_is_in_one_promise_state(shared: Warehouse, events: list[Event]) -> None:
    found = rows(shared, events, "select customers, churned, churn_rate from funnel.promise_churn")

    happened = [e for e in events if datetime.fromisoformat(e["occurred_at"]) <= AS_OF]
    customers = {e["account_id"] for e in happened if not e["type"].startswith("Promise")}
    ended = {e["account_id"] for e in happened if e["type"] == "SubscriptionChurned"}
    left = asked_anew(shared, AS_OF, "select distinct account_id from funnel.account_churn").fetchall()
    assert {account for (account,) in left} <= ended, "who left has ended a subscription"
    assert (sum(row[0] for row in found), sum(row[1] for row in found)) == (len(customers), len(left))
    assert all(rate is None if not all_of_them else 0 <= rate <= 1 for all_of_them, _, rate in found)


def _said(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    return {
        view: sorted(asked_anew(warehouse, AS_OF, f"from funnel.{view}").fetchall(), key=repr)
        for view in VIEWS
    }
