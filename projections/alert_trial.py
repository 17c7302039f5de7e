"""Trying rules on what was measured: which incidents they would have opened, by the very code that opens them
live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from projections.alert_rules import AlertRule
from projections.incidents import OPENED, RESOLVED, RETRACTED, Incident, Obligation, RulesAt, follow


@dataclass(frozen=True)
class Tried:
    """An incident as a rule would have raised it. early: wall-clock time from its opening to the deadline,
    negative when it opened after it; None without a deadline."""

    rule: str
    obligation: Obligation
    alert_id: str
    opened_at: datetime
    state: str
    why: str = ""

    @property
    def early(self) -> timedelta | None:
        deadline_at = self.obligation.due_at
        return None if deadline_at is None else deadline_at - self.opened_at


def try_rules(measured: Iterable[Obligation], rules_at: RulesAt, now: datetime | None = None) -> list[Tried]:
    """The incidents of these measurements, in order of opening. Each obligation is followed in the order of
    its versions, as it was live. now: for rules that say `for`; else when each was measured."""
    of_each: dict[tuple[str, str, int], dict[int, Obligation]] = {}
    for obligation in measured:
        key = obligation.handoff_id, obligation.sla, obligation.episode
        of_each.setdefault(key, {})[obligation.version] = obligation
    found: dict[str, Tried] = {}
    for versions in of_each.values():
        incidents: Sequence[Incident] = ()
        in_order = [versions[version] for version in sorted(versions)]
        for each in [*in_order, in_order[-1]]:  # once more: time has passed
            steps, incidents = follow(each, incidents, rules_at, now or _measured_at(each))
            for step in steps:
                alert_id = step.incident.alert_id(each)
                if step.kind == OPENED:
                    found[alert_id] = Tried(step.incident.rule, each, alert_id, step.at, OPENED)
                elif alert_id in found:
                    state = RETRACTED if step.kind == RETRACTED else RESOLVED
                    found[alert_id] = replace(found[alert_id], state=state, why=step.why)
    return sorted(found.values(), key=lambda tried: (tried.opened_at, tried.alert_id))


def _measured_at(obligation: Obligation) -> datetime:
    return datetime.fromtimestamp(0, obligation.starts_at.tzinfo) + timedelta(microseconds=obligation.version)


@dataclass(frozen=True)
class RuleTrial:
    """What came of one rule. early: of those that opened before the deadline, half were at least so early."""

    rule: AlertRule
    opened: int
    resolved: int
    retracted: int
    open: int
    median_early: timedelta | None


def by_rule(tried: Sequence[Tried], rules: Sequence[AlertRule], since: datetime) -> list[RuleTrial]:
    """The trials since an instant, summed up for each rule that is about one handoff."""
    found = []
    for rule in rules:
        own = [each for each in tried if each.rule == rule.id and each.opened_at >= since]
        states = [each.state for each in own]
        ahead = sorted(each.early for each in own if each.early is not None and each.early > timedelta())
        found.append(
            RuleTrial(
                rule,
                len(own),
                states.count(RESOLVED),
                states.count(RETRACTED),
                states.count(OPENED),
                ahead[(len(ahead) - 1) // 2] if ahead else None,
            )
        )
    return found
