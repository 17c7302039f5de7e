"""The view subscription_term: which subscriptions run on although their term is over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook, decimal_text
from tests.oracle.subscriptions import Event, customer_events, recurring_revenue

KEY = ("account_id", "subscription_id")
BEGINS_A_TERM = ("CustomerOnboarded", "SubscriptionRenewed")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per subscription whose last event does not end it."""
    histories: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in customer_events(log, playbook):
        histories[event.account_id, event.subscription_id].append(event)
    revenue = recurring_revenue(log, playbook).accounts
    today = playbook.day_of(as_of)
    for (account_id, subscription_id), events in histories.items():
        if events[-1].type == "SubscriptionChurned":
            continue
        term = next((event for event in reversed(events) if event.type in BEGINS_A_TERM), None)
        ends_on = term and term.fact.fields["term_ends_on"]
        days = (today - date.fromisoformat(ends_on)).days if ends_on else 0
        history = revenue[account_id].get(subscription_id)
        yield {
            "account_id": account_id,
            "subscription_id": subscription_id,
            "began_at": optional_iso(term and term.at),
            "term_ends_on": ends_on,
            "state": "open_ended" if not ends_on else "past_term" if days > 0 else "in_term",
            "days_past": days if days > 0 else None,
            "amount": decimal_text(history[-1][1]) if history else None,
            "currency": playbook.currency,
        }
