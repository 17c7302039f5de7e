"""The view win: each deal that was won, with what was booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from streams.simulator.clock import iso
from tests.oracle.deals import Deal, deals
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.periods import quarter_of
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("opportunity_id",)


@dataclass(slots=True)
class Win:
    """A deal that was won, or a credit.

    exact: what it booked in the playbook's currency, None without an amount or a rate; booked: that in cents.
    """

    deal: Deal
    opportunity_id: str
    account_id: str | None
    customer_id: str
    lead_id: str | None
    opened_at: int | None
    won_at: int
    period: str
    exact: Decimal | None
    booked: Decimal | None
    is_credit: bool
    is_first: bool = False


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal that was won, and per credit."""
    for win in wins(log, playbook):
        yield {
            "opportunity_id": win.opportunity_id,
            "account_id": win.account_id,
            "customer_id": win.customer_id,
            "lead_id": win.lead_id,
            "opened_at": optional_iso(win.opened_at),
            "won_at": iso(win.won_at),
            "period": win.period,
            "amount": win.deal.booked["amount"],
            "currency": win.deal.booked["currency"],
            "booked": decimal_text(win.booked),
            "is_first": win.is_first,
            "is_credit": win.is_credit,
        }


@lru_cache(maxsize=4)
def wins(log: Log, playbook: Playbook) -> list[Win]:
    """Deals that were won, and credits, by instant, then id. The first win of each customer is marked."""
    found = [
        Win(
            deal=deal,
            opportunity_id=deal.opportunity_id,
            account_id=deal.account_id,
            customer_id=deal.customer_id,
            lead_id=deal.lead_id,
            opened_at=deal.opened_at,
            won_at=deal.closed_at,
            period=quarter_of(playbook.day_of(deal.closed_at)),
            exact=(exact := playbook.priced(deal.booked, playbook.day_of(deal.closed_at))),
            booked=None if exact is None else nearest_cent(exact),
            is_credit=deal.status == "credit",
        )
        for deal in deals(log).values()
        if deal.status in ("won", "credit") and deal.closed_at is not None
    ]
    found.sort(key=lambda win: (win.won_at, win.opportunity_id))
    customers: set[str] = set()
    for win in found:
        win.is_first = not win.is_credit and win.customer_id not in customers
        if not win.is_credit:
            customers.add(win.customer_id)
    return found
