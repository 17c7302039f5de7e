"""The view booking: what was booked in each period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from statistics import median

from tests.oracle.log import Log, Row
from tests.oracle.periods import first_and_last
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent
from tests.oracle.win import Win, wins

KEY = ("unit", "starts_on")
UNITS = ("day", "week", "month", "quarter", "year")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per unit and period with a win or a credit."""
    booked: dict[tuple[str, date], list[Win]] = defaultdict(list)
    week_begins = playbook.text["playbook"].get("week_begins", "monday")
    for win in wins(log, playbook):
        for unit in UNITS:
            booked[unit, first_and_last(unit, playbook.day_of(win.won_at), week_begins)[0]].append(win)
    for (unit, first), found in booked.items():
        won = [win.exact for win in found if not win.is_credit]
        credited = [win.exact for win in found if win.is_credit]
        priced = [nearest_cent(amount) for amount in won if amount is not None]
        yield {
            "unit": unit,
            "starts_on": first.isoformat(),
            "ends_on": first_and_last(unit, first, week_begins)[1].isoformat(),
            "booked": decimal_text(_sum(won + credited)),
            "won": len(won),
            "won_amount": decimal_text(_sum(won)),
            "credits": len(credited),
            "credit_amount": decimal_text(_sum(credited)),
            "median_amount": decimal_text(nearest_cent(median(priced))) if priced else None,
            "unpriced": (won + credited).count(None),
            "currency": playbook.currency,
            "n": len(won),
            "is_enough": len(won) >= playbook.minimum_n,
        }


def _sum(amounts: list[Decimal | None]) -> Decimal:
    return nearest_cent(sum((amount for amount in amounts if amount is not None), Decimal(0)))
