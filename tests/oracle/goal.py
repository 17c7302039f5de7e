"""The view goal: the goals that are in force, from events and from the playbook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent

KEY = ("goal_id",)


class Goal(NamedTuple):
    """A goal in force. amount is in the playbook's currency; starts_at and ends_at are instants.

    is_part: it is contained in another goal of its period and metric.
    """

    goal_id: str
    parent: str | None
    period: str
    metric: str
    team: str
    scope: str
    is_part: bool
    amount: Decimal | None
    set_by: str
    first_day: date
    day_after: date
    starts_at: int
    ends_at: int


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per goal in force."""
    for goal in goals(log, playbook):
        yield {
            "goal_id": goal.goal_id,
            "parent_goal_id": goal.parent,
            "period": goal.period,
            "starts_on": goal.first_day.isoformat(),
            "ends_on": (goal.day_after - timedelta(days=1)).isoformat(),
            "metric": goal.metric,
            "owner_team": goal.team,
            "scope": goal.scope,
            "is_part": goal.is_part,
            "goal_amount": decimal_text(goal.amount),
            "is_priced": goal.amount is not None,
            "set_by": goal.set_by,
        }


@lru_cache(maxsize=4)
def goals(log: Log, playbook: Playbook) -> list[Goal]:
    """The last goal set for each period, metric, team and scope; an event replaces a goal of the playbook."""
    latest = {fact.fields["goal_id"]: fact.fields for fact in log.of("GoalSet")}
    in_force: dict[tuple[str, ...], tuple[dict[str, Any], str]] = {
        _line(fields): (fields, "event") for fields in latest.values()
    }
    replaced_by: dict[str, str] = {}
    for planned in playbook.text.get("goal", []):
        fields = {**planned, "goal_id": planned["id"], "parent_goal_id": planned.get("parent")}
        replaced_by[planned["id"]] = in_force.setdefault(_line(fields), (fields, "playbook"))[0]["goal_id"]
    found = []
    for fields, set_by in in_force.values():
        first, after = playbook.days_of(fields["period"])
        amount = playbook.priced(fields, first)
        found.append(
            Goal(
                goal_id=fields["goal_id"],
                parent=replaced_by.get(fields["parent_goal_id"], fields["parent_goal_id"]),
                period=fields["period"],
                metric=fields["metric"],
                team=fields["owner_team"],
                scope=fields.get("scope") or "company",
                is_part=False,
                amount=None if amount is None else nearest_cent(amount),
                set_by=set_by,
                first_day=first,
                day_after=after,
                starts_at=playbook.begins(first),
                ends_at=playbook.begins(after),
            )
        )
    return [goal._replace(is_part=_is_part(goal, found)) for goal in found]


def _line(fields: dict[str, Any]) -> tuple[str, ...]:
    return fields["period"], fields["metric"], fields["owner_team"], fields.get("scope") or "company"


def _is_part(goal: Goal, goals: list[Goal]) -> bool:
    others = [o for o in goals if (o.period, o.metric) == (goal.period, goal.metric) and o is not goal]
    if any(other.goal_id == goal.parent for other in others):
        return True
    return goal.scope == "team" and any(other.scope == "company" for other in others)
