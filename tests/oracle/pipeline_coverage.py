"""The view pipeline_coverage: the open pipeline against what is left of the goal, month by month.

Deals are built from the visible events alone: for each day, once by what was known on it and once by what is
known now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tests.oracle.goal import goals
from tests.oracle.log import OUTCOMES, Fact, Log, Row
from tests.oracle.opportunity import DATED, latest_with
from tests.oracle.opportunity_amount import OPPORTUNITY
from tests.oracle.periods import quarter_of
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("looked_on", "closes_in")
HORIZONS = ("current", "next", "two_out")


class VisibleDeal(NamedTuple):
    """An open or won deal as visible events describe it. amount is in the playbook's currency."""

    is_won: bool
    closes_in: str | None
    amount: Decimal | None


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per day looked on (the first of each month, and today) and quarter ahead."""
    facts = log.of(*OPPORTUNITY)
    goal_of: dict[str, Decimal] = defaultdict(Decimal)
    for goal in goals(log, playbook):
        if goal.metric == "revenue" and not goal.is_part and goal.amount is not None:
            goal_of[goal.period] += goal.amount
    if not facts:
        return
    today = playbook.day_of(as_of)
    firsts = _first_days(playbook.day_of(facts[0].occurred_at), today)
    for day, at in [*((day, playbook.begins(day)) for day in firsts), (today, as_of)]:
        happened = [fact for fact in facts if fact.occurred_at <= at]
        then = _deals(playbook, day, [fact for fact in happened if fact.recorded_at <= at])
        now = _deals(playbook, day, [fact for fact in happened if fact.recorded_at <= as_of])
        for later, horizon in enumerate(HORIZONS):
            quarter = quarter_of(day, later)
            yield {
                "looked_on": day.isoformat(),
                "closes_in": quarter,
                "horizon": horizon,
                **_coverage("then", quarter, then, goal_of.get(quarter)),
                **_coverage("now", quarter, now, goal_of.get(quarter)),
                "unpriced": sum(deal.closes_in == quarter and deal.amount is None for deal in now),
                "currency": playbook.currency,
            }


def _coverage(known: str, quarter: str, deals: list[VisibleDeal], goal: Decimal | None) -> Row:
    inside = [deal for deal in deals if deal.closes_in == quarter]
    pipeline = sum((deal.amount or Decimal(0) for deal in inside if not deal.is_won), Decimal(0))
    won = sum((deal.amount or Decimal(0) for deal in inside if deal.is_won), Decimal(0))
    left = None if goal is None else goal - nearest_cent(won)
    pipeline = nearest_cent(pipeline)
    return {
        f"open_pipeline_{known}": decimal_text(pipeline),
        f"deals_{known}": sum(not deal.is_won for deal in inside),
        f"goal_left_{known}": decimal_text(left),
        f"coverage_{known}": float(pipeline) / float(left) if left is not None and left > 0 else None,
    }


def _deals(playbook: Playbook, looked_on: date, visible: list[Fact]) -> list[VisibleDeal]:
    by_deal: dict[str, list[Fact]] = defaultdict(list)
    for fact in visible:
        by_deal[fact.fields["opportunity_id"]].append(fact)
    deals = []
    for facts in by_deal.values():
        ends = [fact for fact in facts if fact.type in OUTCOMES]
        if ends and ends[-1].type == "OpportunityWon":
            closed_on = playbook.day_of(ends[-1].occurred_at)
            amount = playbook.priced(ends[-1].fields, closed_on)
            deals.append(VisibleDeal(True, quarter_of(closed_on), amount))
        elif not ends and any(fact.type == "OpportunityOpened" for fact in facts):
            closes_on = latest_with("closes_on", facts, DATED)["closes_on"]
            closes_in = quarter_of(date.fromisoformat(closes_on)) if closes_on else None
            amount = playbook.priced(latest_with("amount", facts, OPPORTUNITY), looked_on)
            deals.append(VisibleDeal(False, closes_in, amount))
    return deals


def _first_days(first: date, today: date) -> Iterator[date]:
    """First days of months from `first` on, before `today`."""
    for year in range(first.year, today.year + 1):
        for month in range(1, 13):
            if first <= date(year, month, 1) < today:
                yield date(year, month, 1)
