"""What a new playbook changes, in sentences, grouped by the team it concerns."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable, Iterator

from projections.alert_examples import AlertExample
from projections.changes import obligations, qualified_lead, revenue, working_time
from projections.changes.sentences import EVERYBODY, Change, pairs, percent
from projections.examples import Example
from projections.playbook import Playbook


def changes(old: Playbook, new: Playbook) -> tuple[Change, ...]:
    """Everything that differs, grouped by team: everybody first, then teams in the new playbook's order."""
    found = [change for compare in _COMPARISONS for change in compare(old, new)]
    if not found and old.version != new.version:
        found = [Change(EVERYBODY, "playbook", "It is worded differently and says the same.")]
    order = [EVERYBODY, *(team.id for team in new.teams), *(team.id for team in old.teams)]
    return tuple(sorted(found, key=lambda c: order.index(c.team) if c.team in order else len(order)))


def _head(old: Playbook, new: Playbook) -> Iterator[Change]:
    share, before = percent(new.at_risk_share), percent(old.at_risk_share)
    for label, was, becomes in (
        ("The playbook's name is", old.name, new.name),
        ("Days are those of the zone", old.zone, new.zone),
        ("The funnel is grouped by", old.window, new.window),
        ("Weeks begin on", old.week_begins.capitalize(), new.week_begins.capitalize()),
        ("Fiscal years begin in", month_name[old.fiscal_year_begins], month_name[new.fiscal_year_begins]),
        ("A deadline is at risk when this much of its time is gone:", before, share),
    ):
        if was != becomes:
            yield Change(EVERYBODY, "playbook", f"{label} {becomes}; before {was}.")


def _examples(old: Playbook, new: Playbook) -> Iterator[Change]:
    was: list[Example | AlertExample] = [*old.examples, *old.alert_examples]
    becomes: list[Example | AlertExample] = [*new.examples, *new.alert_examples]
    for before, after in pairs(was, becomes, lambda example: (type(example).__name__, example.id)):
        example = after or before
        assert example is not None
        what = "is new" if before is None else "is gone" if after is None else "changes"
        block = "alert_example" if isinstance(example, AlertExample) else "example"
        yield Change(EVERYBODY, block, f"The example {example.id!r} {what}.")


_COMPARISONS: tuple[Callable[[Playbook, Playbook], Iterator[Change]], ...] = (
    _head,
    working_time.calendars,
    working_time.teams,
    working_time.members,
    obligations.stages,
    obligations.slas,
    qualified_lead.criteria,
    qualified_lead.groups,
    qualified_lead.attributes,
    qualified_lead.dimensions,
    revenue.goals,
    revenue.currencies,
    revenue.costs,
    revenue.cascade,
    obligations.alerts,
    _examples,
)
