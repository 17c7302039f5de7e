"""The customer's journey at its edges: what comes late, what names nothing, what goes below nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import read_playbook
from tests.given import as_bytes, asked_anew, given, in_memory
from warehouse.warehouse import Warehouse

EXAMPLES = Path(__file__).parents[2] / "docs" / "numbers" / "playbook.toml"
AS_OF = "2026-04-10T12:00:00Z"


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with in_memory(read_playbook(EXAMPLES)) as opened:
        yield opened


def on(day: str, type_: str, **fields: Any) -> dict[str, Any]:
    """An event at nine that day; what a case does not care about is said for it."""
    unsaid: dict[str, Any] = {"source": "gainsight", "account_id": "a-1"}
    if type_.startswith("Subscription"):
        unsaid |= {"subscription_id": "s-1", "currency": "EUR"}
    if type_ == "SubscriptionChurned":
        unsaid |= {"reason_code": "price", "amount": "1.00"}
    if type_ == "CustomerOnboarded" and "amount" in fields:
        unsaid |= {"currency": "EUR"}
    if type_ == "PromiseMade":
        unsaid |= {"made_by": "ida", "promise": "Soon."}
    return {**unsaid, "type": type_, "occurred_at": f"{day}T09:00:00Z", **fields}


def told(warehouse: Warehouse, *events: dict[str, Any]) -> None:
    given(warehouse, as_bytes(events))


def says(warehouse: Warehouse, query: str, as_of: str = AS_OF) -> list[tuple[Any, ...]]:
    return asked_anew(warehouse, datetime.fromisoformat(as_of), query).fetchall()


LEDGER = (
    "select state, settled_at is not null, is_reported_after_churn, churn_reason from funnel.promise_ledger"
)
CHURN = "select promise_state, customers, churned, churn_rate from funnel.promise_churn where customers > 0"


def test_a_promise_reported_after_the_churn_revises_the_row(warehouse: Warehouse) -> None:
    told(
        warehouse,
        on("2026-01-05", "CustomerOnboarded", subscription_id="s-1"),
        on("2026-01-06", "PromiseMade", promise_id="p-1", due_on="2026-03-01"),
        on("2026-03-15", "SubscriptionChurned"),
    )
    assert says(warehouse, LEDGER) == [("overdue", False, False, "price")]
    assert says(warehouse, CHURN) == [("none_settled", 1, 1, 1.0)]

    told(warehouse, on("2026-03-20", "PromiseMissed", promise_id="p-1"))

    assert says(warehouse, LEDGER) == [("missed", True, True, "price")]
    assert says(warehouse, CHURN) == [("some_missed", 1, 1, 1.0)]
    # Asked for the day of the churn, nobody had said it yet.
    assert says(warehouse, LEDGER, "2026-03-15T12:00:00Z") == [("overdue", False, False, "price")]


def test_the_latest_report_of_a_promise_stands(warehouse: Warehouse) -> None:
    told(
        warehouse,
        on("2026-01-06", "PromiseMade", promise_id="p-1"),
        on("2026-02-10", "PromiseKept", promise_id="p-1"),
        on("2026-02-01", "PromiseMissed", promise_id="p-1"),
    )

    assert says(warehouse, "select state, settled_at::date::varchar from funnel.promise_ledger") == [
        ("kept", "2026-02-01")
    ]


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        pytest.param("2026-02-28T22:59:59.999999Z", "open", id="the last moment of its day in Berlin"),
        pytest.param("2026-02-28T23:00:00Z", "overdue", id="the first moment after it"),
    ],
)
def test_a_promise_is_overdue_once_its_day_is_over(warehouse: Warehouse, as_of: str, state: str) -> None:
    told(warehouse, on("2026-01-06", "PromiseMade", promise_id="p-1", due_on="2026-02-28"))

    assert says(warehouse, "select state from funnel.promise_ledger", as_of) == [(state,)]


def test_promises_made_after_a_customer_left_do_not_explain_it(warehouse: Warehouse) -> None:
    told(
        warehouse,
        on("2026-01-05", "CustomerOnboarded"),
        on("2026-02-01", "SubscriptionChurned"),
        on("2026-02-10", "PromiseMade", promise_id="p-1"),
        on("2026-02-20", "PromiseMissed", promise_id="p-1"),
    )

    assert says(warehouse, CHURN) == [("none_made", 1, 1, 1.0)]


RETAINED = (
    "select opening_arr, expansion, contraction, churn, closing_arr, new_arr, reactivated_arr, unpriced"
    " from funnel.retention where period = '2026-Q1'"
)
ONBOARDED = on("2025-12-01", "CustomerOnboarded", subscription_id="s-1", amount="1000.00")


@pytest.mark.parametrize(
    ("events", "amounts"),
    [
        pytest.param(
            [on("2026-02-01", "SubscriptionRenewed", amount="1200.00")],
            (1000, 200, 0, 0, 1200, 0, 0, 0),
            id="a renewal at more is expansion",
        ),
        pytest.param(
            [on("2026-02-01", "SubscriptionRenewed", amount="900.00")],
            (1000, 0, 100, 0, 900, 0, 0, 0),
            id="a renewal at less is contraction",
        ),
        pytest.param(
            [
                on("2026-02-01", "SubscriptionContracted", amount="1500.00"),
                on("2026-03-01", "SubscriptionExpanded", amount="300.00"),
            ],
            (1000, 0, 700, 0, 300, 0, 0, 0),
            id="a contraction stops at nothing",
        ),
        pytest.param(
            [
                on("2026-01-10", "SubscriptionExpanded", amount="500.00"),
                on("2026-03-10", "SubscriptionContracted", amount="500.00"),
            ],
            (1000, 0, 0, 0, 1000, 0, 0, 0),
            id="what goes up and down again within the quarter cancels out",
        ),
        pytest.param(
            [
                on("2026-01-10", "SubscriptionChurned"),
                on("2026-02-10", "CustomerOnboarded", subscription_id="s-2", amount="700.00"),
            ],
            (1000, 0, 300, 0, 700, 0, 0, 0),
            id="one subscription after another is the same customer, with less",
        ),
        pytest.param(
            [on("2026-02-10", "CustomerOnboarded", account_id="a-2", amount="700.00")],
            (1000, 0, 0, 0, 1000, 700, 0, 0),
            id="a new customer counts apart",
        ),
        pytest.param(
            [on("2026-02-10", "CustomerOnboarded", account_id="a-2")],
            (1000, 0, 0, 0, 1000, 0, 0, 1),
            id="an onboarding that says no amount is listed",
        ),
        pytest.param(
            [on("2026-02-10", "SubscriptionExpanded", amount="700.00", currency="CHF")],
            (1000, 0, 0, 0, 1000, 0, 0, 1),
            id="an expansion without a rate is listed, and the rest counts",
        ),
        pytest.param(
            [on("2026-02-10", "SubscriptionChurned", currency="CHF")],
            (1000, 0, 0, 1000, 0, 0, 0, 0),
            id="a churn needs no rate: nothing is left",
        ),
        pytest.param(
            [on("2026-03-31", "SubscriptionChurned", occurred_at="2026-03-31T22:00:00Z")],
            (1000, 0, 0, 0, 1000, 0, 0, 0),
            id="what happens at midnight in Berlin belongs to the next quarter",
        ),
    ],
)
def test_what_counts_as_what(
    warehouse: Warehouse, events: list[dict[str, Any]], amounts: tuple[int, ...]
) -> None:
    told(warehouse, ONBOARDED, *events)

    assert says(warehouse, RETAINED) == [tuple(map(Decimal, amounts))]


def test_an_onboarding_that_names_no_subscription_is_not_counted_beside_the_one_named_later(
    warehouse: Warehouse,
) -> None:
    told(
        warehouse,
        on("2025-12-01", "CustomerOnboarded", amount="1000.00"),
        on("2026-02-01", "SubscriptionRenewed", amount="1100.00"),
    )

    assert says(warehouse, RETAINED) == [tuple(map(Decimal, (1000, 100, 0, 0, 1100, 0, 0, 0)))]


def test_a_group_that_was_completed_too_late_is_due_and_no_longer_past_due(warehouse: Warehouse) -> None:
    found = [
        on(f"2026-03-{day:02d}", "BuyingGroupMemberIdentified", contact_id=f"c-{day}", role=role)
        for day, role in enumerate(("champion", "economic_buyer", "user", "user", "user"), start=1)
    ]
    told(warehouse, on("2026-02-01", "OpportunityOpened", opportunity_id="d-1"), *found)
    query = "select state, is_due, is_past_due, assigned_completeness from funnel.buying_group_account"

    assert says(warehouse, query, "2026-03-01T12:00:00Z") == [("at_risk", False, False, pytest.approx(1 / 3))]
    assert says(warehouse, query, "2026-03-04T12:00:00Z") == [("past_due", True, True, pytest.approx(8 / 9))]
    assert says(warehouse, query) == [("due", True, False, 1.0)]


def test_without_any_event_the_views_say_so(warehouse: Warehouse) -> None:
    assert says(warehouse, "select count(*) from funnel.retention") == [(0,)]
    assert says(warehouse, "select sum(customers) from funnel.promise_churn") == [(0,)]
    assert says(warehouse, "select is_marketing_present, calls, win_rate, n from funnel.joint_call") == [
        (True, 0, None, 0),
        (False, 0, None, 0),
    ]
