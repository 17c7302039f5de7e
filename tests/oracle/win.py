"""The view win: each deal that was won, with what was booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from streams.simulator.clock import iso
from tests.oracle.log import Fields, Log, Row, optional_iso
from tests.oracle.periods import quarter_of
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("opportunity_id",)


@dataclass(slots=True)
class Win:
    """A deal whose last outcome is won.

    exact: what it booked in the playbook's currency, None without a rate; booked: that in cents.
    """

    opportunity_id: str
    account_id: str
    lead_id: str | None
    opened_at: int | None
    won_at: int
    period: str
    amount: str
    currency: str
    exact: Decimal | None
    booked: Decimal | None
    is_first: bool = False


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per deal that was won."""
    for win in wins(log, playbook):
        yield {
            "opportunity_id": win.opportunity_id,
            "account_id": win.account_id,
            "lead_id": win.lead_id,
            "opened_at": optional_iso(win.opened_at),
            "won_at": iso(win.won_at),
            "period": win.period,
            "amount": win.amount,
            "currency": win.currency,
            "booked": decimal_text(win.booked),
            "is_first": win.is_first,
        }


@lru_cache(maxsize=4)
def wins(log: Log, playbook: Playbook) -> list[Win]:
    """Deals that were won, in order of when, then id. The first of its account is marked."""
    found = []
    for opportunity_id, end in log.outcomes.items():
        if end.type != "OpportunityWon":
            continue
        opening = log.openings.get(opportunity_id)
        opened = opening.fields if opening else Fields()
        won_on = playbook.day_of(end.occurred_at)
        exact = playbook.priced(end.fields, won_on)
        found.append(
            Win(
                opportunity_id=opportunity_id,
                account_id=opened["account_id"] or end.fields["account_id"],
                lead_id=opened["lead_id"] or end.fields["lead_id"],
                opened_at=opening.occurred_at if opening else None,
                won_at=end.occurred_at,
                period=quarter_of(won_on),
                amount=end.fields["amount"],
                currency=end.fields["currency"],
                exact=exact,
                booked=None if exact is None else nearest_cent(exact),
            )
        )
    found.sort(key=lambda win: (win.won_at, win.opportunity_id))
    accounts: set[str] = set()
    for win in found:
        win.is_first = win.account_id not in accounts
        accounts.add(win.account_id)
    return found
