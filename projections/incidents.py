"""Incidents of the rules about one handoff: what a rule says of an obligation, and which events follow.

Everything here is a function of what is known of the obligation, never of the order in which it became
known. An incident is one rule, one obligation and the moment at which the rule began to hold; its id is
made of these. When late events move that moment, the incident is retracted and another one opens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from projections.alert_rules import AT_RISK, HANDOFF_KINDS, AlertRule

OPENED, RESOLVED, RETRACTED = "opened", "resolved", "retracted"
RULE_REMOVED = "rule_removed"
MOMENT = {AT_RISK: 1}  # how far an obligation has come; past due is 2

# The rules in force at an instant.
RulesAt = Callable[[datetime], Sequence[AlertRule]]


@dataclass(frozen=True)
class Obligation:
    """What is known of an obligation, as ObligationMeasured says it."""

    handoff_id: str
    lead_id: str
    sla: str
    episode: int
    version: int
    reached: int
    from_team: str
    to_team: str
    owed_by: str
    clock: str
    allowed_minutes: float
    starts_at: datetime
    playbook_version: str
    owner: str | None = None
    calendar: str | None = None
    due_at: datetime | None = None
    at_risk_at: datetime | None = None
    late_at: datetime | None = None
    ended_at: datetime | None = None
    ended: str | None = None
    late_minutes: float | None = None
    is_withdrawn: bool = False

    @property
    def owed_to(self) -> str:
        """The team that waits."""
        return self.to_team if self.owed_by == self.from_team else self.from_team


_FIELDS = [each.name for each in fields(Obligation)]


def obligation_of(measured: Mapping[str, Any]) -> Obligation:
    """From a decoded ObligationMeasured."""
    return Obligation(**{name: measured[name] for name in _FIELDS})


@dataclass(frozen=True)
class Incident:
    """What was said so far about a rule and an obligation. times: how often the very same moment was
    retracted before, which makes it another incident."""

    rule: str
    began_at: datetime
    state: str
    times: int = 0

    def alert_id(self, obligation: Obligation) -> str:
        """The incident's identity: the same whenever and wherever it is computed."""
        said = (
            self.rule,
            obligation.handoff_id,
            obligation.sla,
            obligation.episode,
            self.began_at.isoformat(),
        )
        return hashlib.sha256("|".join(map(str, (*said, self.times))).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Step:
    """An event of an incident that follows now. at: when it happened, in event time. why: of a retraction,
    what disproved it; of a resolution, how the obligation ended."""

    kind: str
    incident: Incident
    at: datetime
    rule: AlertRule | None = None
    why: str = ""


def began_at(rule: AlertRule, obligation: Obligation) -> datetime | None:
    """When the rule began to hold of the obligation, whether that has come or not; None when it never did."""
    if rule.kind not in HANDOFF_KINDS or rule.sla != obligation.sla:
        return None
    if rule.from_team not in (None, obligation.from_team) or rule.to_team not in (None, obligation.to_team):
        return None
    moment = obligation.at_risk_at if rule.kind == AT_RISK else obligation.late_at
    if moment is None:
        return None
    held_at = moment + rule.held_for
    return None if obligation.ended_at is not None and obligation.ended_at <= held_at else held_at


def holds_at(rule: AlertRule, obligation: Obligation, now: datetime) -> datetime | None:
    """When the rule began to hold, if it has by now; else None."""
    began = began_at(rule, obligation)
    if began is None or obligation.reached < MOMENT.get(rule.kind, 2):
        return None
    has_been_held = rule.held_for == timedelta() or began < now or obligation.ended_at is not None
    return began if has_been_held else None


def next_at(rules: Sequence[AlertRule], obligation: Obligation, now: datetime) -> datetime | None:
    """When time alone makes another rule hold: one that says `for`."""
    waits = (
        began_at(rule, obligation)
        for rule in rules
        if rule.held_for and obligation.reached >= MOMENT.get(rule.kind, 2)
    )
    return min((at for at in waits if at is not None and at >= now), default=None)


def follow(
    obligation: Obligation, incidents: Sequence[Incident], rules_at: RulesAt, now: datetime
) -> tuple[list[Step], list[Incident]]:
    """The events that follow from what is known by now, and what has then been said.

    A rule applies to a moment if it is in the playbook that is in force then. Idempotent: following the
    same again says nothing. incidents: what was said before of this obligation, one for each rule at most.
    """
    steps: list[Step] = []
    said = {incident.rule: incident for incident in incidents}
    wanted = {rule.id: (rule, began) for rule, began in _wanted(obligation, rules_at, now)}
    for rule_id in sorted(said.keys() | wanted.keys()):
        before = said.get(rule_id)
        rule, began = wanted.get(rule_id, (None, None))
        after = list(_one(obligation, before, rule, began, rules_at, rule_id))
        steps += after
        if after:
            said[rule_id] = after[-1].incident
    return steps, [said[rule_id] for rule_id in sorted(said)]


def _wanted(obligation: Obligation, rules_at: RulesAt, now: datetime) -> Iterator[tuple[AlertRule, datetime]]:
    for moment in {obligation.at_risk_at, obligation.late_at} - {None}:
        assert moment is not None
        for rule in rules_at(moment):
            is_its_moment = moment == (obligation.at_risk_at if rule.kind == AT_RISK else obligation.late_at)
            began = holds_at(rule, obligation, now) if is_its_moment else None
            if began is not None:
                yield rule, began


def _one(
    obligation: Obligation,
    before: Incident | None,
    rule: AlertRule | None,
    began: datetime | None,
    rules_at: RulesAt,
    rule_id: str,
) -> Iterator[Step]:
    """What follows for one rule."""
    is_said = before is not None and before.state != RETRACTED
    if is_said and before is not None and before.began_at != began:
        if before.state == OPENED and _is_removed(rule_id, before, rules_at):
            before = replace(before, state=RESOLVED)
            yield Step(RESOLVED, before, before.began_at, why=RULE_REMOVED)
        elif not _is_removed(rule_id, before, rules_at):
            before = replace(before, state=RETRACTED)
            yield Step(RETRACTED, before, before.began_at, why=_disproof(obligation, before, began))
    elif is_said and before is not None and before.state == RESOLVED and obligation.ended_at is None:
        before = replace(before, state=RETRACTED)
        yield Step(
            RETRACTED, before, before.began_at, why="it had not ended: a late event took back what ended it"
        )
    if rule is None or began is None:
        return
    if before is None or before.state == RETRACTED:
        is_same = before is not None and before.began_at == began
        opened = Incident(rule_id, began, OPENED, before.times + 1 if before and is_same else 0)
        yield Step(OPENED, opened, began, rule)
        before = opened
    if before.state == OPENED and before.began_at == began and obligation.ended_at is not None:
        yield Step(RESOLVED, replace(before, state=RESOLVED), obligation.ended_at, why=obligation.ended or "")


def _is_removed(rule_id: str, incident: Incident, rules_at: RulesAt) -> bool:
    return all(rule.id != rule_id for rule in rules_at(incident.began_at))


def _disproof(obligation: Obligation, incident: Incident, began: datetime | None) -> str:
    """Why an incident never was, in a sentence."""
    if obligation.is_withdrawn:
        return "it was never owed, or the clocks of the two teams disagree"
    if began is not None:
        return f"its moment is {_shown(began)}, not {_shown(incident.began_at)}: a late event moved it"
    if obligation.ended_at is not None:
        how = {"met": "done", "lapsed": "no longer needed", "moot": "merged into another record"}
        ended = how.get(obligation.ended or "", "ended")
        return f"it was {ended} in time, at {_shown(obligation.ended_at)}: the event came late"
    moved = obligation.late_at or obligation.due_at
    if moved is not None:
        return f"its deadline is {_shown(moved)}: a late event moved it"
    return "its clock is paused: the event came late"


def _shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M UTC")
