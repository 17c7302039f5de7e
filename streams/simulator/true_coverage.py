"""What is true of the pipeline's coverage: each month's first day, as it looked and as it is known.

Plain Python over the emitted facts: for every day and both ways of knowing, the deals are told anew from the
events that were visible.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from streams.simulator.facts import Fact
from streams.simulator.rules import Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.true_goals import OPPORTUNITY, Books, written

HORIZONS = ("current", "next", "two_out")


class Seen(NamedTuple):
    """A deal as visible events tell it. amount is in the playbook's currency."""

    is_won: bool
    closes_in: str | None
    amount: Decimal | None


class CoverageTruths:
    """Tells pipeline_coverage, once the story is over."""

    def __init__(self, rules: Rules, as_of: int) -> None:
        self._books = Books(rules, as_of)

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Keep the facts; nothing is certain before the last chapter."""
        self._books.keep(chapter)
        return ()

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        books = self._books
        facts = books.of(*OPPORTUNITY)
        goals: dict[str, Decimal] = defaultdict(Decimal)
        for goal in books.goals():
            if goal.metric == "revenue" and goal.amount is not None:
                goals[goal.period] += goal.amount
        if not facts:
            return
        today = books.day_of(books.as_of)
        looks = [(day, books.begins(day)) for day in _firsts(books.day_of(facts[0].occurred_at), today)]
        for day, at in [*looks, (today, books.as_of)]:
            then = _deals(books, [fact for fact in facts if fact.occurred_at <= at >= fact.recorded_at])
            now = _deals(
                books, [fact for fact in facts if fact.occurred_at <= at and fact.recorded_at <= books.as_of]
            )
            for ahead, horizon in enumerate(HORIZONS):
                closes_in = _quarter(day, ahead)
                yield (
                    "pipeline_coverage",
                    {
                        "looked_on": day.isoformat(),
                        "closes_in": closes_in,
                        "horizon": horizon,
                        **_side("then", closes_in, then, goals.get(closes_in)),
                        **_side("now", closes_in, now, goals.get(closes_in)),
                        "unpriced": sum(d.closes_in == closes_in and d.amount is None for d in now),
                        "currency": books.currency,
                    },
                )


def _side(name: str, closes_in: str, deals: list[Seen], goal: Decimal | None) -> Row:
    inside = [deal for deal in deals if deal.closes_in == closes_in]
    pipeline = sum((d.amount or Decimal(0) for d in inside if not d.is_won), Decimal(0))
    won = sum((d.amount or Decimal(0) for d in inside if d.is_won), Decimal(0))
    left = None if goal is None else goal - won
    return {
        f"open_pipeline_{name}": written(pipeline),
        f"deals_{name}": sum(not deal.is_won for deal in inside),
        f"goal_left_{name}": written(left),
        f"coverage_{name}": float(pipeline) / float(left) if left is not None and left > 0 else None,
    }


def _deals(books: Books, facts: list[Fact]) -> list[Seen]:
    """Open and won deals, told from these facts alone."""
    told: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        told[fact.fields["opportunity_id"]].append(fact)
    seen = []
    for events in told.values():
        ends = [fact for fact in events if fact.type in ("OpportunityWon", "OpportunityLost")]
        if ends and ends[-1].type == "OpportunityWon":
            closed_in = _quarter(books.day_of(ends[-1].occurred_at))
            seen.append(Seen(True, closed_in, books.priced(ends[-1].fields)))
        elif not ends and any(fact.type == "OpportunityOpened" for fact in events):
            amounts = [fact.fields for fact in events if fact.fields.get("amount") is not None]
            days = [fact.fields["closes_on"] for fact in events if fact.fields.get("closes_on") is not None]
            closes_in = _quarter(date.fromisoformat(days[-1])) if days else None
            seen.append(Seen(False, closes_in, books.priced(amounts[-1]) if amounts else None))
    return seen


def _firsts(first: date, today: date) -> Iterator[date]:
    """First days of months from `first` on, before `today`."""
    for year in range(first.year, today.year + 1):
        for month in range(1, 13):
            if first <= date(year, month, 1) < today:
                yield date(year, month, 1)


def _quarter(day: date, ahead: int = 0) -> str:
    number = day.year * 4 + (day.month - 1) // 3 + ahead
    return f"{number // 4}-Q{number % 4 + 1}"
