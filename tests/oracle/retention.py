"""The view retention: how much of the revenue at a quarter's start was there at its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.oracle.log import Log, Row
from tests.oracle.periods import day_after, first_day, quarter_of
from tests.oracle.playbook import Playbook
from tests.oracle.subscriptions import SUBSCRIPTION, ZERO, RecurringRevenue, recurring_revenue

KEY = ("period",)
SUMS = (
    "opening_arr",
    "expansion",
    "contraction",
    "churn",
    "closing_arr",
    "new_arr",
    "reactivated_arr",
)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter that has begun, from the first with a customer's event on."""
    facts = log.of(*SUBSCRIPTION)
    if not facts:
        return
    revenue = recurring_revenue(log, playbook)
    period = quarter_of(playbook.day_of(facts[0].occurred_at))
    while (starts_at := playbook.begins(first_day(period))) <= as_of:
        after = day_after(period)
        cohort = _cohort(revenue, starts_at, playbook.begins(after))
        yield {
            "period": period,
            "starts_on": first_day(period).isoformat(),
            "ends_on": (after - timedelta(days=1)).isoformat(),
            "is_over": as_of >= playbook.begins(after),
            **cohort,
            "is_enough": cohort["n"] >= playbook.minimum_n,
            "currency": playbook.currency,
        }
        period = quarter_of(after)


def _cohort(revenue: RecurringRevenue, starts_at: int, ends_at: int) -> Row:
    """What became, by the end, of the revenue there was at the start."""
    sums = dict.fromkeys(SUMS, ZERO)
    customers = churned = 0
    for account in revenue.accounts:
        opening, closing = revenue.before(account, starts_at), revenue.before(account, ends_at)
        if not opening:
            sums["reactivated_arr" if revenue.was_ever(account, starts_at) else "new_arr"] += closing
            continue
        customers += 1
        churned += not closing
        sums["opening_arr"] += opening
        sums["closing_arr"] += closing
        if closing > opening:
            sums["expansion"] += closing - opening
        else:
            sums["contraction" if closing else "churn"] += opening - closing
    start, lost = sums["opening_arr"], sums["contraction"] + sums["churn"]
    return {
        "customers": customers,
        **{name: str(amount) for name, amount in sums.items()},
        "nrr": float(sums["closing_arr"]) / float(start) if start else None,
        "grr": float(start - lost) / float(start) if start else None,
        "churned_customers": churned,
        "unpriced": revenue.unpriced(ends_at),
        "n": customers,
    }
