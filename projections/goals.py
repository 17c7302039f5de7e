"""Goals, rates and costs of a playbook: what the revenue funnel is for, in money, and who owns which line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from projections.playbook_blocks import Blocks

KEYS = {
    "money": {"currency", "rates", "gross_margin"},
    "rate": {"currency", "rate"},
    "goal": {"id", "parent", "period", "owner_team", "metric", "amount", "currency"},
    "cost": {"team", "period", "amount", "currency"},
    "cascade": {
        "cohort",
        "minimum_n",
        "captured",
        "qualified",
        "accepted",
        "opportunities",
        "won",
        "retained",
    },
    "attribution": {"session"},
}
STEPS = ("captured", "qualified", "accepted", "opportunities", "won", "retained")
METRICS = ("revenue", "retained_revenue", "pipeline")
PERIOD = re.compile(r"[12][0-9]{3}(-Q[1-4])?")


@dataclass(frozen=True)
class Goal:
    """A goal in money for a quarter ('2026-Q1') or a year ('2026'), the goal it serves, and its owner."""

    id: str
    parent: str | None
    period: str
    owner_team: str
    metric: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Cost:
    """What a team costs in a period, beside the campaigns that events book."""

    team: str
    period: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Goals:
    """Everything a playbook says about money. `rates`: one unit of a currency in `currency`."""

    currency: str
    rates_name: str
    rates: Mapping[str, Decimal]
    gross_margin: Decimal
    goals: tuple[Goal, ...]
    costs: tuple[Cost, ...]
    cohort: timedelta
    minimum_n: int
    owners: Mapping[str, str]
    session: timedelta


def read_goals(blocks: Blocks, teams: set[str]) -> Goals:
    """What a playbook says about money. Faults are BatonErrors that name the line."""
    money = {"currency": "EUR", "rates": "no rates", "gross_margin": "1", **blocks.single("money")}
    currency = _currency(blocks, "money", 0, money)
    margin = blocks.money("money", 0, money, "gross_margin")
    if not 0 < margin <= 1:
        raise blocks.fault("money", 0, f"gross_margin = '{margin}'; it is a share such as '0.78'")
    rates = _rates(blocks, currency)
    cascade = {"cohort": "180 days", "minimum_n": 30, **blocks.single("cascade")}
    for step in STEPS:
        if step in cascade and cascade[step] not in teams:
            raise blocks.fault("cascade", 0, f"{step} = {cascade[step]!r} is no team of this playbook")
    attribution = {"session": "30 minutes", **blocks.single("attribution")}
    return Goals(
        currency=currency,
        rates_name=blocks.text("money", 0, money, "rates"),
        rates=rates,
        gross_margin=margin,
        goals=_goals(blocks, teams, rates),
        costs=tuple(_cost(blocks, i, block, teams, rates) for i, block in blocks.blocks("cost")),
        cohort=blocks.duration("cascade", 0, cascade, "cohort"),
        minimum_n=blocks.count("cascade", 0, cascade, "minimum_n"),
        owners={step: str(cascade[step]) for step in STEPS if step in cascade},
        session=blocks.duration("attribution", 0, attribution, "session"),
    )


def _rates(blocks: Blocks, own: str) -> dict[str, Decimal]:
    rates = {own: Decimal(1)}
    for index, block in blocks.blocks("rate"):
        currency = _currency(blocks, "rate", index, block)
        if currency in rates:
            raise blocks.fault("rate", index, f"{currency} has a rate already ({own} itself is always 1)")
        rates[currency] = blocks.money("rate", index, block, "rate")
        if not 0 < rates[currency] < 10**6:
            raise blocks.fault("rate", index, f"rate = '{rates[currency]}' lies outside 0 to a million")
    return rates


def _goals(blocks: Blocks, teams: set[str], rates: Mapping[str, Decimal]) -> tuple[Goal, ...]:
    goals = []
    for index, block in blocks.blocks("goal"):
        team = blocks.text("goal", index, block, "owner_team")
        if team not in teams:
            raise blocks.fault("goal", index, f"owner_team = {team!r} is no team of this playbook")
        goals.append(
            Goal(
                id=blocks.text("goal", index, block, "id"),
                parent=blocks.text("goal", index, block, "parent") if "parent" in block else None,
                period=_period(blocks, "goal", index, block),
                owner_team=team,
                metric=blocks.one_of("goal", index, block, "metric", METRICS),
                amount=blocks.money("goal", index, block, "amount"),
                currency=_rated(blocks, "goal", index, block, rates),
            )
        )
    _check_parents(blocks, goals)
    return tuple(goals)


def _check_parents(blocks: Blocks, goals: Sequence[Goal]) -> None:
    """Every goal serves a goal there is, and none serves itself in the end."""
    parents = {goal.id: goal.parent for goal in goals}
    for index, goal in enumerate(goals):
        seen = [goal.id]
        above = goal.parent
        while above is not None:
            if above not in parents:
                raise blocks.fault("goal", index, f"parent = {above!r}: there is no such goal")
            if above in seen:
                raise blocks.fault(
                    "goal", index, f"goals serve each other in a circle: {' > '.join([*seen, above])}"
                )
            seen.append(above)
            above = parents[above]


def _cost(
    blocks: Blocks, index: int, block: Mapping[str, Any], teams: set[str], rates: Mapping[str, Decimal]
) -> Cost:
    team = blocks.text("cost", index, block, "team")
    if team not in teams:
        raise blocks.fault("cost", index, f"team = {team!r} is no team of this playbook")
    return Cost(
        team=team,
        period=_period(blocks, "cost", index, block),
        amount=blocks.money("cost", index, block, "amount"),
        currency=_rated(blocks, "cost", index, block, rates),
    )


def _period(blocks: Blocks, name: str, index: int, block: Mapping[str, Any]) -> str:
    period = blocks.text(name, index, block, "period")
    if PERIOD.fullmatch(period) is None:
        raise blocks.fault(name, index, f"period = {period!r}; say a year '2026' or a quarter '2026-Q1'")
    return period


def _currency(blocks: Blocks, name: str, index: int, block: Mapping[str, Any]) -> str:
    currency = blocks.text(name, index, block, "currency")
    if re.fullmatch(r"[A-Z]{3}", currency) is None:
        raise blocks.fault(name, index, f"currency = {currency!r} is no code such as EUR")
    return currency


def _rated(
    blocks: Blocks, name: str, index: int, block: Mapping[str, Any], rates: Mapping[str, Decimal]
) -> str:
    currency = _currency(blocks, name, index, block)
    if currency not in rates:
        raise blocks.fault(
            name,
            index,
            f"there is no rate for {currency}: add [[rate]] currency = '{currency}' with its rate",
        )
    return currency
