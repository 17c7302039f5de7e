"""The view opportunity: what is known of each deal that was opened."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.deals import deals
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("opportunity_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per opportunity that was opened. Amounts are in the currency of the deal."""
    for deal in deals(log).values():
        if deal.opened_at is None:
            continue
        yield {
            "opportunity_id": deal.opportunity_id,
            "account_id": deal.account_id,
            "lead_id": deal.lead_id,
            "owner": deal.owner,
            "opened_at": optional_iso(deal.opened_at),
            "stage": deal.stage,
            "amount": deal.amount["amount"],
            "currency": deal.amount["currency"],
            "closes_on": deal.closes_on,
            "status": deal.status,
            "closed_at": optional_iso(deal.closed_at),
            "lost_reason": deal.lost_reason,
        }
