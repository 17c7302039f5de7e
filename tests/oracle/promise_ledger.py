"""The view promise_ledger: each promise made to a customer, whether it was kept, and whether they left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from streams.simulator.clock import iso
from tests.oracle.log import Fact, Log, Row, first_by, optional_iso
from tests.oracle.playbook import Playbook
from tests.oracle.subscriptions import departures

KEY = ("promise_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per promise made."""
    reports = _grouped("promise_id", log.of("PromiseKept", "PromiseMissed"))
    left = departures(log, playbook)
    won = first_by("opportunity_id", log.of("OpportunityWon"))
    onboarded = first_by("account_id", log.of("CustomerOnboarded"))
    for made in first_by("promise_id", log.of("PromiseMade")).values():
        stated, made_at = made.fields, made.occurred_at
        deal, account = stated["opportunity_id"], stated["account_id"]
        win = won.get(deal) if deal else onboarded.get(account)
        reported = reports.get(stated["promise_id"], [])
        churn = next((event for event in left.get(account, []) if event.at > made_at), None)
        settled_at = reported[0].occurred_at if reported else None
        yield {
            "promise_id": stated["promise_id"],
            "account_id": account,
            "opportunity_id": deal,
            "made_by": stated["made_by"],
            "promise": stated["promise"],
            "made_at": iso(made_at),
            "due_on": stated["due_on"],
            "won_at": optional_iso(win and win.occurred_at),
            "is_before_win": win is None or made_at <= win.occurred_at,
            "state": _state(playbook, as_of, stated["due_on"], reported),
            "settled_at": optional_iso(settled_at),
            "is_reported_after_churn": bool(settled_at is not None and churn and settled_at > churn.at),
            "churned_at": optional_iso(churn and churn.at),
            "is_churned": churn is not None,
            "churn_reason": churn and churn.fact.fields["reason_code"],
        }


def _grouped(field: str, facts: list[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.fields[field]].append(fact)
    return found


def _state(playbook: Playbook, as_of: int, due_on: str | None, reported: list[Fact]) -> str:
    """As last reported; without a report, overdue from the day after it was due."""
    if reported:
        return reported[-1].type.removeprefix("Promise").lower()
    is_over = due_on is not None and playbook.day_of(as_of) > date.fromisoformat(due_on)
    return "overdue" if is_over else "open"
