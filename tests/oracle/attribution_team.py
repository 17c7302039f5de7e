"""The view attribution_team: what each team's sessions earned in each quarter, by each model."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.oracle.attribution import UNATTRIBUTED, Credit, credit_text, credits
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook, decimal_text
from tests.oracle.win import wins

KEY = ("model", "period", "team")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per model, quarter of winning and team."""
    of_team: dict[tuple[str, str, str], list[Credit]] = defaultdict(list)
    for credit in credits(log, playbook):
        team = credit.session[0].team if credit.session else UNATTRIBUTED
        of_team[credit.model, credit.win.period, team].append(credit)
    n = Counter(win.period for win in wins(log, playbook) if not win.is_credit)
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for win in wins(log, playbook):
        booked[win.period] += win.booked or 0
    for (model, period, team), earned in of_team.items():
        of_wins = [c for c in earned if not c.win.is_credit]
        converted = {c.win.opportunity_id for c in of_wins if c.millionths}
        unpriced = {c.win.opportunity_id for c in earned if c.millionths and c.win.booked is None}
        amount = sum((c.amount or Decimal(0) for c in earned), Decimal(0))
        yield {
            "model": model,
            "period": period,
            "team": team,
            "conversions": len(converted),
            "credit": credit_text(sum(c.millionths for c in of_wins)),
            "amount": decimal_text(amount),
            "booked": decimal_text(booked[period]),
            "share": float(amount) / float(booked[period]) if booked[period] else None,
            "unpriced": len(unpriced),
            "n": n[period],
            "is_enough": n[period] >= playbook.minimum_n,
        }
