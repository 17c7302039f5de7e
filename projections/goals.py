"""Goals, rates and costs of a playbook: what the revenue funnel is for, in money, and who owns which line.

Its periods are those of the contract: years, quarters and months, and fiscal years and quarters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from projections.playbook_blocks import Blocks
from schemas.vocabulary import wrong_period

KEYS = {
    "money": {"currency", "rates", "gross_margin"},
    "rate": {"currency", "rate", "from"},
    "goal": {"id", "parent", "period", "owner_team", "metric", "amount", "currency", "scope"},
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
SCOPES = ("company", "team")


@dataclass(frozen=True)
class Rate:
    """What one unit of a currency is in the playbook's own, from a day on; without a day, since ever."""

    currency: str
    rate: Decimal
    since: date | None = None


@dataclass(frozen=True)
class Goal:
    """A goal in money for a period ('2026-Q1', 'FY2026', '2026-03'), the goal it serves, and its owner.

    `scope`: company for all that is sold, team for what the owner team itself brings.
    """

    id: str
    parent: str | None
    period: str
    owner_team: str
    metric: str
    amount: Decimal
    currency: str
    scope: str = "company"


@dataclass(frozen=True)
class Cost:
    """What a team costs in a period, beside the campaigns that events book."""

    team: str
    period: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class Goals:
    """Everything a playbook says about money. `rates`: of each currency in order of their days."""

    currency: str
    rates_name: str
    rates: tuple[Rate, ...]
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
    rated = {rate.currency for rate in rates}
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
        goals=_goals(blocks, teams, rated),
        costs=tuple(_cost(blocks, i, block, teams, rated) for i, block in blocks.blocks("cost")),
        cohort=blocks.duration("cascade", 0, cascade, "cohort"),
        minimum_n=blocks.count("cascade", 0, cascade, "minimum_n"),
        owners={step: str(cascade[step]) for step in STEPS if step in cascade},
        session=blocks.duration("attribution", 0, attribution, "session"),
    )


def _rates(blocks: Blocks, own: str) -> tuple[Rate, ...]:
    rates = [Rate(own, Decimal(1))]
    for index, block in blocks.blocks("rate"):
        currency = _currency(blocks, "rate", index, block)
        since = blocks.day("rate", index, block, "from") if "from" in block else None
        rate = Rate(currency, blocks.money("rate", index, block, "rate"), since)
        if currency == own or any((r.currency, r.since) == (currency, since) for r in rates):
            from_when = f" from {since}" if since else ""
            why = f"{currency} has a rate{from_when} already ({own} itself is always 1)"
            raise blocks.fault("rate", index, why)
        if not 0 < rate.rate < 10**6:
            raise blocks.fault("rate", index, f"rate = '{rate.rate}' lies outside 0 to a million")
        rates.append(rate)
    return tuple(sorted(rates, key=lambda rate: (rate.currency, rate.since or date.min)))


def _goals(blocks: Blocks, teams: set[str], rated: set[str]) -> tuple[Goal, ...]:
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
                currency=_rated(blocks, "goal", index, block, rated),
                scope=_scope(blocks, index, block),
            )
        )
    _check_parents(blocks, goals)
    return tuple(goals)


def _scope(blocks: Blocks, index: int, block: Mapping[str, Any]) -> str:
    if "scope" not in block:
        return "company"
    if block["scope"] == "team" and block.get("metric") == "retained_revenue":
        why = "scope = 'team' with metric = 'retained_revenue': no deal says which team retains revenue"
        raise blocks.fault("goal", index, why)
    return blocks.one_of("goal", index, block, "scope", SCOPES)


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


def _cost(blocks: Blocks, index: int, block: Mapping[str, Any], teams: set[str], rated: set[str]) -> Cost:
    team = blocks.text("cost", index, block, "team")
    if team not in teams:
        raise blocks.fault("cost", index, f"team = {team!r} is no team of this playbook")
    return Cost(
        team=team,
        period=_period(blocks, "cost", index, block),
        amount=blocks.money("cost", index, block, "amount"),
        currency=_rated(blocks, "cost", index, block, rated),
    )


def _period(blocks: Blocks, name: str, index: int, block: Mapping[str, Any]) -> str:
    period = blocks.text(name, index, block, "period")
    if why := wrong_period(period):
        raise blocks.fault(name, index, f"period = {period!r} {why}")
    return period


def _currency(blocks: Blocks, name: str, index: int, block: Mapping[str, Any]) -> str:
    currency = blocks.text(name, index, block, "currency")
    if re.fullmatch(r"[A-Z]{3}", currency) is None:
        raise blocks.fault(name, index, f"currency = {currency!r} is no code such as EUR")
    return currency


def _rated(blocks: Blocks, name: str, index: int, block: Mapping[str, Any], rated: set[str]) -> str:
    currency = _currency(blocks, name, index, block)
    if currency not in rated:
        raise blocks.fault(
            name,
            index,
            f"there is no rate for {currency}: add [[rate]] currency = '{currency}' with its rate",
        )
    return currency
