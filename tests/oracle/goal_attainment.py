"""The view goal_attainment: how much of each goal is reached, and how much should be by now."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tests.oracle.goal import Goal, goals
from tests.oracle.log import Log, Row
from tests.oracle.opportunity_amount import priced_deals
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent
from tests.oracle.subscriptions import recurring_revenue

KEY = ("period", "owner_team", "metric", "scope")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per goal in force."""
    for goal in goals(log, playbook):
        row = attainment(log, playbook, as_of, goal, goal.amount or Decimal(0))
        if goal.amount is None:
            row |= dict.fromkeys(("attained_share", "goal_amount", "expected_by_now", "pace", "gap"))
        if (goal.metric, goal.scope) == ("retained_revenue", "team"):  # no deal says which team retains
            row |= dict.fromkeys(("actual", "attained_share", "pace", "gap"))
        if goal.starts_at > as_of:  # nothing is missing yet
            row |= dict.fromkeys(("attained_share", "gap"))
        yield row


def attainment(log: Log, playbook: Playbook, as_of: int, goal: Goal, amount: Decimal) -> Row:
    """The row of a goal of this amount."""
    counted = _counted(log, playbook, as_of, goal)
    priced = [value for value in counted if value is not None]
    actual = nearest_cent(sum(priced, Decimal(0)))
    days = (goal.day_after - goal.first_day).days
    elapsed = min(max((playbook.day_of(as_of) - goal.first_day).days, 0), days)
    # What is retained is all there at the start; revenue and pipeline come in day by day.
    is_whole = goal.metric == "retained_revenue" and goal.starts_at <= as_of
    expected = amount if is_whole else nearest_cent(amount * elapsed / days)
    return {
        "goal_id": goal.goal_id,
        "period": goal.period,
        "owner_team": goal.team,
        "metric": goal.metric,
        "scope": goal.scope,
        "is_part": goal.is_part,
        "goal_amount": decimal_text(amount),
        "actual": decimal_text(actual),
        "n": len(priced),
        "unpriced": len(counted) - len(priced),
        "attained_share": float(actual) / float(amount) if amount else None,
        "elapsed_share": elapsed / days,
        "expected_by_now": decimal_text(expected),
        "pace": float(actual) / float(expected) if expected else None,
        "gap": decimal_text(amount - actual),
        "currency": playbook.currency,
    }


def _counted(log: Log, playbook: Playbook, as_of: int, goal: Goal) -> list[Decimal | None]:
    """What counts towards the goal: one amount each, None where there is none that can be counted."""
    if goal.metric == "revenue":
        wins = [fact.fields for fact in log.of("OpportunityWon") if fact.fields["owner"]]
        closers = {win["opportunity_id"]: win["owner"] for win in wins}
        return [
            deal.booked
            for deal in priced_deals(log, playbook, as_of)
            if deal.status in ("won", "credit")
            and _is_within(goal, deal.closed_at)
            and _brings(playbook, goal, closers.get(deal.opportunity_id) or _opener(log, deal.opportunity_id))
        ]
    if goal.metric == "pipeline":
        return [
            deal.amount
            for deal in priced_deals(log, playbook, as_of)
            if _is_within(goal, deal.opened_at) and _brings(playbook, goal, _opener(log, deal.opportunity_id))
        ]
    is_counted = goal.scope == "company" and goal.starts_at <= as_of
    return _retained(log, playbook, goal) if is_counted else []


def _opener(log: Log, opportunity_id: str) -> str | None:
    opening = log.openings.get(opportunity_id)
    return opening.fields["owner"] if opening else None


def _brings(playbook: Playbook, goal: Goal, owner: str | None) -> bool:
    """Whether what this person sells counts towards the goal."""
    teams = {person: row["team"] for row in playbook.text.get("member", []) for person in row["ids"]}
    return goal.scope == "company" or teams.get(owner or "") == goal.team


def _is_within(goal: Goal, instant: int | None) -> bool:
    return instant is not None and goal.starts_at <= instant < goal.ends_at


def _retained(log: Log, playbook: Playbook, goal: Goal) -> list[Decimal | None]:
    """What each customer at the period's start pays a year at its end, at most what it paid then."""
    revenue = recurring_revenue(log, playbook)
    retained: list[Decimal | None] = []
    for account in revenue.accounts:
        opening = revenue.before(account, goal.starts_at)
        if opening > 0:
            retained.append(min(opening, revenue.before(account, goal.ends_at)))
    return retained + [None] * revenue.unpriced(goal.ends_at)
