"""The view gap_bridge: the gap to a quarter's revenue goal, cause by cause.

Each cause is averaged over all 720 orders in which the planned factors can turn into the actual ones, in
exact fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

from tests.oracle.goal import goals
from tests.oracle.goal_attainment import attainment
from tests.oracle.goal_cases import STEPS, Cases, Progress, all_cases
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook, decimal_text, exact_cents

KEY = ("goal_id", "cause")
FACTORS = ("volume", "qualification", "acceptance", "speed", "win_rate", "deal_size")
OWNED_BY = (*STEPS, "won", "retained")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter's revenue goal and cause: six factors, retention, and what is left over."""
    for cases in all_cases(log, playbook, as_of):
        goal = cases.goal
        retained = [
            attainment(log, playbook, as_of, other, other.amount)
            for other in goals(log, playbook)
            if (other.period, other.metric) == (goal.period, "retained_revenue")
            and not other.is_part
            and other.amount is not None
        ]
        assert goal.amount is not None  # all_cases leaves out goals without one
        attained = attainment(log, playbook, as_of, goal, goal.amount)
        yield from _bridge(playbook, cases, Fraction(goal.amount), attained, retained)


def _bridge(
    playbook: Playbook, cases: Cases, goal_amount: Fraction, attained: Row, retained: list[Row]
) -> Iterator[Row]:
    before = _factors(cases, cases.cohort, cases.booked)
    now = _factors(cases, cases.followed, cases.followed_booked)
    cohort, followed = len(cases.cohort), len(cases.followed)
    actual: list[Fraction | None] = [Fraction(followed), *(a / b if b else None for a, b in now)]
    plan: list[Fraction | None] = [None] * len(FACTORS)
    amounts = [Decimal("0.00")] * len(FACTORS)
    if cases.booked > 0:
        plan = [goal_amount * cohort / Fraction(cases.booked), *(a / b for a, b in before)]
        amounts = [exact_cents(value) for value in _shapley(plan, actual)]
    amounts.append(sum((Decimal(row["gap"]) for row in retained), Decimal(0)))
    plan.append(sum((Fraction(row["goal_amount"]) for row in retained), Fraction(0)) if retained else None)
    actual.append(sum((Fraction(row["actual"]) for row in retained), Fraction(0)) if retained else None)
    gap = Decimal(attained["gap"]) + amounts[-1]
    ns = [followed, followed, *(int(b) for _, b in now[1:]), sum(row["n"] for row in retained)]
    fewest = [min(a, b) for a, b in zip(ns, (cohort, cohort, *(int(b) for _, b in before[1:])), strict=False)]
    fewest.append(ns[-1])
    for index, cause in enumerate((*FACTORS, "retention")):
        yield {
            "goal_id": cases.goal.goal_id,
            "cause": cause,
            "owner_team": playbook.text["cascade"][OWNED_BY[index]],
            "amount": decimal_text(amounts[index]),
            "plan": _number(plan[index]),
            "actual": _number(actual[index]),
            "gap": decimal_text(gap),
            "n": ns[index],
            "is_enough": fewest[index] >= playbook.minimum_n,
        }
    yield {
        "goal_id": cases.goal.goal_id,
        "cause": "unexplained",
        "owner_team": None,
        "amount": decimal_text(gap - sum(amounts)),
        "plan": None,
        "actual": None,
        "gap": decimal_text(gap),
        "n": attained["n"],
        "is_enough": attained["n"] >= playbook.minimum_n,
    }


def _factors(cases: Cases, leads: list[Progress], booked: Decimal) -> list[tuple[Fraction, Fraction]]:
    """Each factor after the volume as (numerator, denominator)."""
    counts = [cases.reached(leads, step) for step in STEPS[:3]]
    counts += [cases.in_time(leads), cases.reached(leads, "won")]
    pairs = [(Fraction(b), Fraction(a)) for a, b in zip(counts, counts[1:], strict=False)]
    return [*pairs, (Fraction(booked), Fraction(counts[-1]))]


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _shapley(plan: Sequence[Fraction | None], actual: Sequence[Fraction | None]) -> list[Fraction]:
    """What each factor takes away, averaged over all orders. A factor nothing is known of is as planned."""
    planned = [value or Fraction(0) for value in plan]
    found = [planned[i] if value is None else value for i, value in enumerate(actual)]
    known: dict[frozenset[int], Fraction] = {}

    def product(turned: frozenset[int]) -> Fraction:
        """The product when these factors are as found and the others as planned."""
        if turned not in known:
            value = Fraction(1)
            for index in range(len(planned)):
                value *= found[index] if index in turned else planned[index]
            known[turned] = value
        return known[turned]

    taken = [Fraction(0)] * len(planned)
    orders = list(permutations(range(len(planned))))
    for order in orders:
        for place, factor in enumerate(order):
            taken[factor] += product(frozenset(order[:place])) - product(frozenset(order[: place + 1]))
    return [value / len(orders) for value in taken]
