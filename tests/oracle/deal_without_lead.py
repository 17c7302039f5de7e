"""The view deal_without_lead: how many deals, and how much money, no lead of the funnel accounts for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.oracle.log import Log, Row
from tests.oracle.opportunity_amount import Deal, deals
from tests.oracle.playbook import Playbook, decimal_text
from tests.oracle.windows import window_start

KEY = ("window_start",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per window in which a deal was opened or won."""
    opened: dict[str, list[Deal]] = {}
    won: dict[str, list[Deal]] = {}
    for deal in deals(log, playbook):
        at = deal.closed_at if deal.opened_at is None else deal.opened_at
        if at is not None and deal.status != "credit":
            opened.setdefault(window_start(playbook, at), []).append(deal)
        if deal.status in ("won", "credit") and deal.closed_at is not None:
            won.setdefault(window_start(playbook, deal.closed_at), []).append(deal)
    for window in sorted({*opened, *won}):
        new, wins = opened.get(window, []), won.get(window, [])
        yield {
            "window_start": window,
            "opened": len(new),
            "opened_without_lead": sum(deal.lead_id is None for deal in new),
            "amount": _total(deal.amount for deal in new),
            "amount_without_lead": _total(deal.amount for deal in new if deal.lead_id is None),
            "unpriced": sum(deal.amount is None for deal in new),
            "won": sum(deal.status == "won" for deal in wins),
            "won_without_lead": sum(deal.status == "won" and deal.lead_id is None for deal in wins),
            "booked": _total(deal.booked for deal in wins),
            "booked_without_lead": _total(deal.booked for deal in wins if deal.lead_id is None),
            "booked_unpriced": sum(deal.booked is None for deal in wins),
            "currency": playbook.currency,
        }


def _total(amounts: Iterator[Decimal | None]) -> str | None:
    return decimal_text(sum((amount for amount in amounts if amount is not None), Decimal(0)))
