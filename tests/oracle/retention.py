"""The view retention: how much of the revenue at a quarter's start was there at its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.oracle.log import Log, Row
from tests.oracle.periods import day_after, first_day, quarter_of
from tests.oracle.playbook import Playbook, nearest_cent
from tests.oracle.subscriptions import ZERO, RecurringRevenue, customer_events, recurring_revenue

KEY = ("period",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter that has begun, from the first with a customer's event on."""
    events = customer_events(log, playbook)
    if not events:
        return
    revenue = recurring_revenue(log, playbook)
    period = quarter_of(playbook.day_of(events[0].at))
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
    before = [(a, revenue.before(a, starts_at), revenue.before(a, ends_at)) for a in revenue.accounts]
    cohort = [(account, opening, closing) for account, opening, closing in before if opening]
    others = [(account, closing) for account, opening, closing in before if not opening]
    start = sum((opening for _, opening, _ in cohort), ZERO)
    shrunk = sum((opening - closing for _, opening, closing in cohort if 0 < closing < opening), ZERO)
    kept = sum((min(opening, closing) for _, opening, closing in cohort), ZERO)
    end = sum((closing for _, _, closing in cohort), ZERO)
    new = sum((closing for account, closing in others if not revenue.was_ever(account, starts_at)), ZERO)
    back = sum((closing for account, closing in others if revenue.was_ever(account, starts_at)), ZERO)
    fallen = sum((revenue.movements(account, starts_at, ends_at)[1] for account, _, _ in cohort), ZERO)
    customers = len(cohort)
    cents = nearest_cent
    return {
        "customers": customers,
        # Running totals are rounded; a part is the difference of two of them, so that the parts add up.
        "opening_arr": str(cents(start)),
        "contraction": str(cents(start) - cents(start - shrunk)),
        "churn": str(cents(start - shrunk) - cents(kept)),
        "expansion": str(cents(end) - cents(kept)),
        "closing_arr": str(cents(end)),
        "all_contraction": str(cents(start) - cents(start - fallen)),
        "all_expansion": str(cents(end) - cents(start - fallen)),
        "new_arr": str(cents(end + new) - cents(end)),
        "reactivated_arr": str(cents(end + new + back) - cents(end + new)),
        "nrr": float(cents(end)) / float(cents(start)) if cents(start) else None,
        "grr": float(cents(kept)) / float(cents(start)) if cents(start) else None,
        "churned_customers": sum(not closing for _, _, closing in cohort),
        "unpriced": revenue.unpriced(ends_at),
        "n": customers,
    }
