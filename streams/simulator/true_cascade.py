"""What is true of the way from the goal back to the lead: the cascade's counts, and the causes of the gap.

Plain Python over the emitted facts, counted once the whole story is known. The causes are worked out by
walking all 720 orders of the factors in exact fractions, and share nothing with the view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import permutations
from math import floor
from statistics import median

from streams.simulator.clock import DAY
from streams.simulator.rules import UNITS, Rules
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row
from streams.simulator.true_goals import Books, Deal, Goal, attainment, cents, written
from streams.simulator.true_qualification import QualificationTruths

STEPS = ("captured", "qualified", "accepted", "opportunities", "won")
FACTORS = ("volume", "qualification", "acceptance", "speed", "win_rate", "deal_size")
OWNED_BY = (*STEPS, "won", "retained")


@dataclass(slots=True)
class Life:
    """A lead: when it came to each step of the cascade, itself or by a later one, and what it booked."""

    captured: int | None = None
    own: dict[str, int] = field(default_factory=dict)
    booked: Decimal = Decimal(0)

    def first(self, step: str, at: int) -> None:
        """Remember the earliest time of a step."""
        self.own[step] = min(at, self.own.get(step, at))

    def entered(self, step: str) -> int | None:
        """When it came to the step."""
        if step == "captured":
            return self.captured
        return min((self.own[s] for s in STEPS[STEPS.index(step) :] if s in self.own), default=None)

    def is_in_time(self, deadline: float | None) -> bool:
        """Whether a deal was opened in time, or won all the same."""
        opened, accepted = self.entered("opportunities"), self.entered("accepted")
        if "won" in self.own or opened is None or accepted is None:
            return "won" in self.own
        return deadline is not None and opened - accepted <= deadline


class Window:
    """Days from first to last, both included."""

    def __init__(self, books: Books, first: date, last: date) -> None:
        self.first, self.last = first, last
        self._from, self._until = books.begins(first), books.begins(last + timedelta(days=1))

    def holds(self, at: int | None) -> bool:
        """Whether the instant lies in it."""
        return at is not None and self._from <= at < self._until


class Cases:
    """The counts of one goal: its cohort, the windows of its steps, and the leads that were followed."""

    def __init__(self, books: Books, goal: Goal, lives: list[Life]) -> None:
        count, _, unit = books.cascade["cohort"].partition(" ")
        self.until = min(goal.starts, books.as_of)
        self.since = self.until - int(count) * UNITS[unit]
        self.cohort = [life for life in lives if self.since <= (life.captured or -1) < self.until]
        self.won = [life for life in self.cohort if "won" in life.own]
        self.lags = {step: self._lag(step) for step in STEPS}
        last = goal.after - timedelta(days=1)
        self.windows = {
            step: Window(books, goal.first - timedelta(days=lag or 0), last - timedelta(days=lag or 0))
            for step, lag in self.lags.items()
        }
        self.followed = [life for life in lives if self.windows["captured"].holds(life.captured)]
        self.entered = {
            step: sum(window.holds(life.entered(step)) for life in lives)
            for step, window in self.windows.items()
        }
        self.deadline = self._deadline()
        self.booked = sum((life.booked for life in self.cohort), Decimal(0))
        self.followed_booked = sum((life.booked for life in self.followed), Decimal(0))

    def _lag(self, step: str) -> int | None:
        spans = [max(0, life.own["won"] - (life.entered(step) or 0)) for life in self.won]
        return floor(median(spans) / DAY + 0.5) if spans else None

    def _deadline(self) -> float | None:
        """Nine in ten of the cohort's deals were opened so soon after the acceptance, in microseconds."""
        waits = sorted(
            (life.entered("opportunities") or 0) - (life.entered("accepted") or 0)
            for life in self.cohort
            if life.entered("opportunities") is not None
        )
        if not waits:
            return None
        place = (len(waits) - 1) * 0.9
        below = floor(place)
        above = min(below + 1, len(waits) - 1)
        return waits[below] + (waits[above] - waits[below]) * (place - below)

    def reached(self, lives: list[Life], step: str) -> int:
        """How many of them came to the step."""
        return sum(life.entered(step) is not None for life in lives)

    def in_time(self, lives: list[Life]) -> int:
        """How many of them have a deal opened in time, or won."""
        return sum(life.is_in_time(self.deadline) for life in lives)

    def factors(self, lives: list[Life], booked: Decimal) -> list[tuple[Fraction, Fraction]]:
        """Each factor after the volume as (numerator, denominator)."""
        counts = [self.reached(lives, step) for step in STEPS[:3]]
        counts += [self.in_time(lives), self.reached(lives, "won")]
        pairs = [(Fraction(b), Fraction(a)) for a, b in zip(counts, counts[1:], strict=False)]
        return [*pairs, (Fraction(booked), Fraction(counts[-1]))]


class CascadeTruths:
    """Tells the cascade of each quarter's revenue goal, its counts, and the causes of the gap."""

    def __init__(self, rules: Rules, as_of: int, qualification: QualificationTruths) -> None:
        """`qualification` has told everything before this one tells anything."""
        self._books = Books(rules, as_of)
        self._qualification = qualification

    def add(self, chapter: Chapter) -> Iterable[tuple[str, Row]]:
        """Keep the facts; nothing is certain before the last chapter."""
        self._books.keep(chapter)
        return ()

    def finish(self) -> Iterator[tuple[str, Row]]:
        """All rows."""
        books = self._books
        deals, goals = books.deals(), books.goals()
        lives = list(_lives(books, deals, self._qualification.qualified_at()))
        rows = {goal.goal_id: attainment(books, goal, deals) for goal in goals}
        for goal in goals:
            if goal.metric != "revenue" or "-Q" not in goal.period or goal.amount is None:
                continue
            cases = Cases(books, goal, lives)
            line = goal.period, "retained_revenue"
            kept = [rows[other.goal_id] for other in goals if (other.period, other.metric) == line]
            yield from (("goal_cases", row) for row in _case_rows(books, goal, cases))
            yield from (("goal_cascade", row) for row in _steps(books, goal, cases, rows[goal.goal_id]))
            yield from (("gap_bridge", row) for row in _causes(books, goal, cases, rows[goal.goal_id], kept))


def _lives(books: Books, deals: list[Deal], qualified: Mapping[str, int]) -> Iterable[Life]:
    lives: dict[str, Life] = defaultdict(Life)
    for fact in books.of("LeadCaptured"):
        life = lives[fact.fields["lead_id"]]
        life.captured = fact.occurred_at if life.captured is None else life.captured
    for lead_id, at in qualified.items():
        lives[lead_id].first("qualified", at)
    for fact in books.of("HandoffAccepted"):
        lives[fact.fields["lead_id"]].first("accepted", fact.occurred_at)
    for deal in deals:
        if deal.lead_id is None:
            continue
        life = lives[deal.lead_id]
        if deal.opened is not None:
            life.first("opportunities", deal.opened)
        if deal.status == "won" and deal.closed is not None:
            life.first("won", deal.closed)
            life.booked += deal.booked or Decimal(0)
    return lives.values()


def _case_rows(books: Books, goal: Goal, cases: Cases) -> Iterator[Row]:
    for position, step in enumerate(STEPS, start=1):
        yield {
            "goal_id": goal.goal_id,
            "step": step,
            "position": position,
            "cohort_starts_on": books.day_of(cases.since).isoformat(),
            "cohort_ends_on": books.day_of(cases.until - 1).isoformat(),
            "cases": cases.reached(cases.cohort, step),
            "booked": written(cases.booked),
            "lag_days": cases.lags[step],
            "window_starts_on": cases.windows[step].first.isoformat(),
            "window_ends_on": cases.windows[step].last.isoformat(),
            "entered": cases.entered[step],
            "followed": cases.reached(cases.followed, step),
            "followed_booked": written(cases.followed_booked),
            "in_time_within_days": None if cases.deadline is None else cases.deadline / DAY,
            "in_time": cases.in_time(cases.cohort),
            "followed_in_time": cases.in_time(cases.followed),
        }


def _steps(books: Books, goal: Goal, cases: Cases, attained: Row) -> Iterator[Row]:
    """From the revenue back to the lead."""
    assert goal.amount is not None
    later: int | None = None
    for position, step in enumerate(("revenue", *reversed(STEPS))):
        own = "won" if step == "revenue" else step
        n, window = cases.reached(cases.cohort, own), cases.windows[own]
        actual = Decimal(attained["actual"]) if step == "revenue" else Decimal(cases.entered[step])
        row: Row = {
            "goal_id": goal.goal_id,
            "step": step,
            "position": position,
            "owner_team": goal.team if step == "revenue" else books.cascade[step],
            "required": None,
            "actual": written(actual),
            "gap": None,
            "gap_amount": None,
            "pace": None,
            "rate_to_next": later / n if later is not None and n else None,
            "amount_each": None,
            "n": n,
            "is_enough": n >= books.cascade["minimum_n"] and cases.booked > 0,
            "lag_days": cases.lags[own],
            "window_starts_on": window.first.isoformat(),
            "window_ends_on": window.last.isoformat(),
        }
        if n:
            each = Fraction(cases.booked) / n
            row["amount_each"] = None if step == "revenue" else written(cents(each))
        if cases.booked:
            exact = Fraction(goal.amount) if step == "revenue" else Fraction(goal.amount) / each
            required = Decimal(exact.numerator) / exact.denominator
            required = required.quantize(Decimal("1e-10"), ROUND_HALF_UP)
            days = (window.last - window.first).days + 1
            gone = min(max((books.day_of(books.as_of) - window.first).days, 0), days)
            row["required"], row["gap"] = f"{required:.10f}", f"{required - actual:.10f}"
            worth = actual if step == "revenue" else cents(Fraction(actual) * each)
            row["gap_amount"] = written(goal.amount - worth)
            row["pace"] = float(actual) / (float(required) * gone / days) if gone else None
        later = None if step == "revenue" else n
        yield row


def _causes(books: Books, goal: Goal, cases: Cases, attained: Row, kept: list[Row]) -> Iterator[Row]:
    """The gap, cause by cause, and what is left of it."""
    assert goal.amount is not None
    is_planned = cases.booked > 0
    before = cases.factors(cases.cohort, cases.booked)
    now = cases.factors(cases.followed, cases.followed_booked)
    cohort, came = len(cases.cohort), len(cases.followed)
    actual: list[Fraction | None] = [Fraction(came), *(a / b if b else None for a, b in now)]
    plan: list[Fraction | None] = [None] * 6
    amounts = [Decimal("0.00")] * 6
    if is_planned:
        plan = [Fraction(goal.amount) * cohort / Fraction(cases.booked), *(a / b for a, b in before)]
        amounts = [cents(value) for value in _shapley(plan, actual)]
    retained = sum((Decimal(row["gap"]) for row in kept), Decimal(0))
    gap = Decimal(attained["gap"]) + retained
    plan.append(sum((Fraction(row["goal_amount"]) for row in kept), Fraction(0)) if kept else None)
    actual.append(sum((Fraction(row["actual"]) for row in kept), Fraction(0)) if kept else None)
    ns = [came, came, *(int(b) for _, b in now[1:]), sum(row["n"] for row in kept)]
    least = [min(a, b) for a, b in zip(ns, (cohort, cohort, *(int(b) for _, b in before[1:])), strict=False)]
    amounts.append(retained)
    for index, cause in enumerate((*FACTORS, "retention", "unexplained")):
        is_rest = cause == "unexplained"
        n = attained["n"] if is_rest else ns[index]
        yield {
            "goal_id": goal.goal_id,
            "cause": cause,
            "owner_team": None if is_rest else books.cascade[OWNED_BY[index]],
            "amount": written(gap - sum(amounts) if is_rest else amounts[index]),
            "plan": None if is_rest else _number(plan[index]),
            "actual": None if is_rest else _number(actual[index]),
            "gap": written(gap),
            "n": n,
            "is_enough": (least[index] if index < 6 else n) >= books.cascade["minimum_n"],
        }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _shapley(plan: list[Fraction | None], actual: list[Fraction | None]) -> list[Fraction]:
    """What each factor takes away, averaged over all orders in which the plan could turn into the actual."""
    taken = [Fraction(0)] * len(plan)
    planned = [value or Fraction(0) for value in plan]
    found = [planned[i] if value is None else value for i, value in enumerate(actual)]
    worth: dict[frozenset[int], Fraction] = {}
    orders = list(permutations(range(len(plan))))
    for order in orders:
        for place, factor in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            taken[factor] += _worth(worth, planned, found, before) - _worth(worth, planned, found, after)
    return [value / len(orders) for value in taken]


def _worth(
    known: dict[frozenset[int], Fraction],
    plan: list[Fraction],
    found: list[Fraction],
    members: frozenset[int],
) -> Fraction:
    """The product when these factors are as found and the others as planned."""
    if members not in known:
        product = Fraction(1)
        for index in range(len(plan)):
            product *= found[index] if index in members else plan[index]
        known[members] = product
    return known[members]
