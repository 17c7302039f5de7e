"""The view pipeline_coverage: the open pipeline against what is left of the goal, month by month.

Deals are built from the visible events alone: for each day, once by what was known on it and once by what is
known now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from tests.oracle.deals import MEANING, reported_deal
from tests.oracle.goal import goals
from tests.oracle.log import Fact, Log, Row
from tests.oracle.periods import quarter_of
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("looked_on", "horizon")
HORIZONS = ("current", "next", "two_out")


class VisibleDeal(NamedTuple):
    """An open deal, or what was booked, as visible events describe it. amount is in the playbook's currency.

    line: the quarter it closes in, or overdue, undated or later.
    """

    is_won: bool
    line: str
    amount: Decimal | None


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per day looked on (the first of each month, and today) and quarter ahead."""
    facts = log.of(*(type_ for type_ in MEANING if type_ != "OpportunityStageEntered"))
    goal_of: dict[str, Decimal] = defaultdict(Decimal)
    for goal in goals(log, playbook):
        if goal.metric == "revenue" and not goal.is_part and goal.amount is not None:
            goal_of[goal.period] += goal.amount
    if not facts:
        return
    today = playbook.day_of(as_of)
    firsts = _first_days(playbook.day_of(facts[0].occurred_at), today)
    for day, at in [*((day, playbook.begins(day)) for day in firsts), (today, as_of)]:
        happened = [fact for fact in facts if min(fact.occurred_at, as_of) <= at]
        known = [fact for fact in happened if fact.recorded_at <= at]
        then, now = (_deals(playbook, day, of, log.of_merged_deals) for of in (known, happened))
        lines = {horizon: quarter_of(day, later) for later, horizon in enumerate(HORIZONS)}
        for line in ("later", "overdue", "undated"):
            if any(deal.line == line for deal in then + now):
                lines[line] = line
        for horizon, line in lines.items():
            yield {
                "looked_on": day.isoformat(),
                "closes_in": None if line == horizon else line,
                "horizon": horizon,
                **_coverage("then", line, then, goal_of.get(line)),
                **_coverage("now", line, now, goal_of.get(line)),
                "unpriced": sum(deal.line == line and deal.amount is None for deal in now),
                "currency": playbook.currency,
            }


def _coverage(known: str, line: str, deals: list[VisibleDeal], goal: Decimal | None) -> Row:
    inside = [deal for deal in deals if deal.line == line]
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


def _deals(
    playbook: Playbook, day: date, visible: list[Fact], of_merged: Collection[tuple[str, str]]
) -> list[VisibleDeal]:
    by_deal: dict[str, list[Fact]] = defaultdict(list)
    for fact in visible:
        by_deal[fact.fields["opportunity_id"]].append(fact)
    found = []
    for opportunity_id, facts in by_deal.items():
        deal = reported_deal(opportunity_id, facts, of_merged)
        if deal is None:
            continue
        if deal.status in ("won", "credit") and deal.closed_at is not None:
            closed_on = playbook.day_of(deal.closed_at)
            found.append(VisibleDeal(True, quarter_of(closed_on), playbook.priced(deal.booked, closed_on)))
        elif deal.status == "open" and deal.opened_at is not None:
            closes_on = date.fromisoformat(deal.closes_on) if deal.closes_on else None
            found.append(VisibleDeal(False, _line(day, closes_on), playbook.priced(deal.amount, day)))
    return found


def _line(day: date, closes_on: date | None) -> str:
    if closes_on is None:
        return "undated"
    if closes_on < day:
        return "overdue"
    quarters = [quarter_of(day, later) for later in range(len(HORIZONS))]
    return quarter_of(closes_on) if quarter_of(closes_on) in quarters else "later"


def _first_days(first: date, today: date) -> Iterator[date]:
    """First days of months from `first` on, before `today`."""
    for year in range(first.year, today.year + 1):
        for month in range(1, 13):
            if first <= date(year, month, 1) < today:
                yield date(year, month, 1)
