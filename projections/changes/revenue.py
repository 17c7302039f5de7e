"""What changes in goals, rates, costs and the goal cascade."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from projections.changes.sentences import (
    EVERYBODY,
    Change,
    counted,
    listed,
    money,
    pairs,
    percent,
    span,
    team_name,
)
from projections.goals import Cost, Goal, Goals, Rate
from projections.playbook import Playbook

_SCOPES = {"company": "all that is sold", "team": "what the team itself brings"}


def currencies(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = old.goals, new.goals
    if before.currency != after.currency:
        yield Change(EVERYBODY, "money", f"Totals are in {after.currency}; before {before.currency}.")
    if before.rates_name != after.rates_name:
        says = f"The exchange rates are those of {after.rates_name!r}; before {before.rates_name!r}."
        yield Change(EVERYBODY, "money", says)
    if before.gross_margin != after.gross_margin:
        margins = f"{percent(after.gross_margin)}; before {percent(before.gross_margin)}"
        yield Change(EVERYBODY, "money", f"The gross margin is reckoned at {margins}.")
    yield from _rates(before.rates, after.rates, after.currency)


def _rates(before: Iterable[Rate], after: Iterable[Rate], currency: str) -> Iterator[Change]:
    def by_day(rates: Iterable[Rate]) -> dict[tuple[str, date], Rate]:
        return {(r.currency, r.since or date.min): r for r in rates if r.currency != currency}

    old, new = by_day(before), by_day(after)
    for key in sorted(old.keys() | new.keys()):
        was, becomes = old.get(key), new.get(key)
        if becomes is None and was is not None:
            since = f" from {was.since} on" if was.since else ""
            says = f"There is no rate for {was.currency}{since} any more; before {was.rate}."
            yield Change(EVERYBODY, "rate", says)
        elif becomes is not None and was != becomes:
            one = f"From {becomes.since} on one" if becomes.since else "One"
            rest = f"before {was.rate}" if was is not None else "before there was none"
            says = f"{one} {becomes.currency} is {becomes.rate} {currency}; {rest}."
            yield Change(EVERYBODY, "rate", says)


def goals(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(old.goals.goals, new.goals.goals, lambda goal: goal.id):
        goal = after or before
        assert goal is not None
        if after is None:
            says = f"{_goal(goal)} is dropped; before {money(goal.amount, goal.currency)}."
        elif before is None:
            says = f"{_goal(goal)}, is new: {money(goal.amount, goal.currency)}."
        else:
            says = _goal_says(before, after)
        yield Change(goal.owner_team, "goal", says)


def _goal(goal: Goal) -> str:
    return f"The goal for {goal.period} {goal.metric.replace('_', ' ')}, owned by {goal.owner_team}"


def _goal_says(before: Goal, after: Goal) -> str:
    parts = []
    if (before.period, before.metric) != (after.period, after.metric):
        parts.append(f"was for {before.period} {before.metric.replace('_', ' ')}")
    if before.owner_team != after.owner_team:
        parts.append(f"moves from {team_name(before.owner_team)}")
    if before.currency != after.currency:
        old, new = money(before.amount, before.currency), money(after.amount, after.currency)
        parts.append(f"changes from {old} to {new}")
    elif before.amount != after.amount:
        verb = "rises" if after.amount > before.amount else "falls"
        parts.append(f"{verb} from {money(before.amount, before.currency)} to {after.amount:,.2f}")
    if before.parent != after.parent:
        parts.append(f"serves {after.parent or 'no other goal'} instead of {before.parent or 'none'}")
    if before.scope != after.scope:
        parts.append(f"counts {_SCOPES[after.scope]} instead of {_SCOPES[before.scope]}")
    return f"{_goal(after)}, {listed(parts)}."


def costs(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = _by_team(old.goals.costs), _by_team(new.goals.costs)
    for team, period in sorted(before.keys() | after.keys()):
        was, becomes = before.get((team, period)), after.get((team, period))
        if was != becomes:
            amounts = f"{becomes or 'not said'}; before {was or 'not said'}"
            yield Change(team, "cost", f"The cost of {team_name(team)} in {period} is {amounts}.")


def _by_team(costs: Iterable[Cost]) -> dict[tuple[str, str], str]:
    """The costs of a team in a period; several of them in one go."""
    found: dict[tuple[str, str], list[str]] = {}
    for cost in costs:
        found.setdefault((cost.team, cost.period), []).append(money(cost.amount, cost.currency))
    return {key: listed(sorted(amounts)) for key, amounts in found.items()}


def cascade(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = old.goals, new.goals
    yield from _cascade_settings(before, after)
    for step in sorted(before.owners.keys() | after.owners.keys()):
        was, becomes = before.owners.get(step), after.owners.get(step)
        if was != becomes:
            owners = [team_name(team) if team else "nobody" for team in (becomes, was)]
            says = f"{owners[0]} owns the step {step} of the goal cascade; before {owners[1]}."
            yield Change(becomes or was or EVERYBODY, "cascade", says)


def _cascade_settings(before: Goals, after: Goals) -> Iterator[Change]:
    if before.cohort != after.cohort:
        says = f"Rates come from the last {span(after.cohort)}; before {span(before.cohort)}."
        yield Change(EVERYBODY, "cascade", says)
    if before.minimum_n != after.minimum_n:
        says = f"A rate needs at least {counted(after.minimum_n, 'case')}; before {before.minimum_n:,}."
        yield Change(EVERYBODY, "cascade", says)
    if before.session != after.session:
        within = f"within {span(after.session)} are one visit; before {span(before.session)}"
        yield Change(EVERYBODY, "attribution", f"Touches of one account {within}.")
