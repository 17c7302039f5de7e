"""The view goal: the goals that are in force, from events and from the playbook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from tests.oracle.log import Log, Row
from tests.oracle.periods import day_after, first_day
from tests.oracle.playbook import Playbook, decimal_text

KEY = ("goal_id",)


class Goal(NamedTuple):
    """A goal in force. amount is in the playbook's currency; starts_at and ends_at are instants."""

    goal_id: str
    parent: str | None
    period: str
    metric: str
    team: str
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
            "goal_amount": decimal_text(goal.amount),
            "is_priced": goal.amount is not None,
            "set_by": goal.set_by,
        }


@lru_cache(maxsize=4)
def goals(log: Log, playbook: Playbook) -> list[Goal]:
    """The last goal set for each period, metric and team; an event replaces a goal of the playbook."""
    latest = {fact.fields["goal_id"]: fact.fields for fact in log.of("GoalSet")}
    in_force: dict[tuple[str, str, str], tuple[dict[str, Any], str]] = {
        (fields["period"], fields["metric"], fields["owner_team"]): (fields, "event")
        for fields in latest.values()
    }
    replaced_by: dict[str, str] = {}
    for planned in playbook.text.get("goal", []):
        fields = {**planned, "goal_id": planned["id"], "parent_goal_id": planned.get("parent")}
        line = planned["period"], planned["metric"], planned["owner_team"]
        replaced_by[planned["id"]] = in_force.setdefault(line, (fields, "playbook"))[0]["goal_id"]
    return [
        Goal(
            goal_id=fields["goal_id"],
            parent=replaced_by.get(fields["parent_goal_id"], fields["parent_goal_id"]),
            period=fields["period"],
            metric=fields["metric"],
            team=fields["owner_team"],
            amount=playbook.priced(fields),
            set_by=set_by,
            first_day=first_day(fields["period"]),
            day_after=day_after(fields["period"]),
            starts_at=playbook.begins(first_day(fields["period"])),
            ends_at=playbook.begins(day_after(fields["period"])),
        )
        for fields, set_by in in_force.values()
    ]
