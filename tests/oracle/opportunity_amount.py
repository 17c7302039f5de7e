"""The view opportunity_amount: what each deal is worth in the playbook's currency."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook, decimal_text

KEY = ("opportunity_id",)


class PricedDeal(NamedTuple):
    """A deal as it was last reported. Amounts are exact, in the playbook's currency; None without a rate."""

    opportunity_id: str
    lead_id: str | None
    opened_at: int | None
    status: str
    closed_at: int | None
    amount: Decimal | None
    booked: Decimal | None
    closes_on: str | None


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal that any event reports."""
    for deal in priced_deals(log, playbook, as_of):
        yield {
            "opportunity_id": deal.opportunity_id,
            "lead_id": deal.lead_id,
            "opened_at": optional_iso(deal.opened_at),
            "status": deal.status,
            "closed_at": optional_iso(deal.closed_at),
            "amount": decimal_text(deal.amount),
            "booked": decimal_text(deal.booked),
            "currency": playbook.currency,
            "closes_on": deal.closes_on,
        }


@lru_cache(maxsize=4)
def priced_deals(log: Log, playbook: Playbook, as_of: int) -> list[PricedDeal]:
    """Every deal, also one whose opening is missing."""
    return [_priced(deal, playbook, as_of) for deal in deals(log).values()]


def _priced(deal: Deal, playbook: Playbook, as_of: int) -> PricedDeal:
    day = playbook.day_of(as_of if deal.closed_at is None else deal.closed_at)
    return PricedDeal(
        deal.opportunity_id,
        lead_id=deal.lead_id,
        opened_at=deal.opened_at,
        status=deal.status,
        closed_at=deal.closed_at,
        amount=playbook.priced(deal.amount, day),
        booked=playbook.priced(deal.booked, day),
        closes_on=deal.closes_on,
    )
