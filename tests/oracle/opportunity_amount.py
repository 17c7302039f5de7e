"""The view opportunity_amount: what each deal is worth in the playbook's currency."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.opportunity import latest_with, status
from tests.oracle.playbook import Playbook, decimal_text

KEY = ("opportunity_id",)
OPPORTUNITY = ("OpportunityOpened", "OpportunityRevised", "OpportunityWon", "OpportunityLost")


class Deal(NamedTuple):
    """A deal as it was last reported. Amounts are exact, in the playbook's currency; None without a rate."""

    opportunity_id: str
    lead_id: str | None
    opened_at: int | None
    status: str
    closed_at: int | None
    amount: Decimal | None
    booked: Decimal | None


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal that was opened, revised, won or lost."""
    for deal in deals(log, playbook, as_of):
        yield {
            "opportunity_id": deal.opportunity_id,
            "lead_id": deal.lead_id,
            "opened_at": optional_iso(deal.opened_at),
            "status": deal.status,
            "closed_at": optional_iso(deal.closed_at),
            "amount": decimal_text(deal.amount),
            "booked": decimal_text(deal.booked),
            "currency": playbook.currency,
        }


@lru_cache(maxsize=4)
def deals(log: Log, playbook: Playbook, as_of: int) -> list[Deal]:
    """Every deal, also one whose opening is missing."""
    found = []
    for opportunity_id, facts in log.by_deal.items():
        facts = [fact for fact in facts if fact.type in OPPORTUNITY]
        if not facts:
            continue
        opening, end = log.openings.get(opportunity_id), log.outcomes.get(opportunity_id)
        is_won = end is not None and end.type == "OpportunityWon"
        priced_on = playbook.day_of(end.occurred_at if end else as_of)
        leads = [fact.fields["lead_id"] for fact in facts if fact.fields["lead_id"] is not None]
        found.append(
            Deal(
                opportunity_id,
                lead_id=leads[0] if leads else None,
                opened_at=opening and opening.occurred_at,
                status=status(end),
                closed_at=end and end.occurred_at,
                amount=playbook.priced(latest_with("amount", facts, OPPORTUNITY), priced_on),
                booked=playbook.priced(end.fields, priced_on) if end and is_won else None,
            )
        )
    return found
