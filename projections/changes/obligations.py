"""What changes in the stages of the funnel, in what the sides owe each other, and in alerts."""

from __future__ import annotations

from collections.abc import Iterator

from projections.alert_rules import AT_RISK, OVERDUE_IN_WINDOW, AlertRule
from projections.changes.sentences import EVERYBODY, Change, counted, listed, pairs, span, team_name
from projections.playbook import Playbook, Sla


def stages(old: Playbook, new: Playbook) -> Iterator[Change]:
    before, after = dict(old.stages), dict(new.stages)
    for stage, event in after.items():
        if stage not in before:
            yield Change(EVERYBODY, "stage", f"There is a new stage {stage}, entered by {event}.")
        elif before[stage] != event:
            says = f"The stage {stage} is entered by {event}; before {before[stage]}."
            yield Change(EVERYBODY, "stage", says)
        if stage in before and old.buyer_steps.get(stage) != new.buyer_steps.get(stage):
            steps = (new.buyer_steps.get(stage, "not said"), old.buyer_steps.get(stage, "not said"))
            yield Change(EVERYBODY, "stage", f"At stage {stage} the buyer is: {steps[0]}; before {steps[1]}.")
    for stage in (stage for stage in before if stage not in after):
        yield Change(EVERYBODY, "stage", f"The stage {stage} is gone.")
    both = [stage for stage in after if stage in before]
    if both != [stage for stage in before if stage in after]:
        yield Change(EVERYBODY, "stage", f"The stages come in the order {' > '.join(after)}.")
    if old.deal_stages != new.deal_stages:
        orders = [" > ".join(stages) or "not said" for stages in (new.deal_stages, old.deal_stages)]
        yield Change(EVERYBODY, "deal_stage", f"A deal goes through {orders[0]}; before {orders[1]}.")


def slas(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(old.slas, new.slas, lambda sla: (sla.id, sla.from_team, sla.to_team)):
        if after is None and before is not None:
            owing = _owing_team(before)
            yield Change(
                owing, "sla", f"{_obligation(before)}: no deadline any more; before {_deadline(before)}."
            )
        elif after is not None and before is None:
            yield Change(
                _owing_team(after),
                "sla",
                f"{_obligation(after)} {_deadline(after)}; before there was no deadline.",
            )
        elif after is not None and before is not None:
            instead = _deadline(before, after)
            owed = (
                ""
                if before.owed_by == after.owed_by
                else f" (owed by {team_name(_owing_team(before))} before)"
            )
            yield Change(_owing_team(after), "sla", f"{_obligation(after)} {instead}{owed}.")


def _owing_team(sla: Sla) -> str:
    return sla.from_team if sla.owed_by == "sender" else sla.to_team


def _obligation(sla: Sla) -> str:
    owing = team_name(_owing_team(sla))
    other = team_name(sla.to_team if sla.owed_by == "sender" else sla.from_team)
    return {
        "answer": f"{owing} answers {_possessive(other)} leads",
        "first_attempt": f"{owing} first tries to reach the buyers of {_possessive(other)} leads",
        "attempts": f"{owing} keeps trying to reach the buyers of {_possessive(other)} leads",
        "acknowledge_return": f"{owing} acknowledges what {other} returns",
    }[sla.id]


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _deadline(sla: Sla, becomes: Sla | None = None) -> str:
    """'within 2 hours (business time)'; with what it becomes: 'within 1 hour instead of 2 hours (...)'."""
    if becomes is None:
        tries = f", {counted(sla.attempts, 'time')}" if sla.attempts else ""
        return f"within {span(sla.within, sla.clock)}{tries} ({sla.clock} time)"
    parts = [f"within {span(becomes.within, becomes.clock)}"]
    if sla.within != becomes.within:
        parts.append(f"instead of {span(sla.within, sla.clock)}")
    parts.append(
        f"({becomes.clock} time{'' if sla.clock == becomes.clock else f' instead of {sla.clock} time'})"
    )
    if becomes.attempts and sla.attempts != becomes.attempts:
        parts.append(f"and at least {counted(becomes.attempts, 'time')} instead of {sla.attempts}")
    return " ".join(parts)


def alerts(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(old.alerts, new.alerts, lambda alert: alert.id):
        if after is None and before is not None:
            yield Change(before.owner, "alert", f"The alert {before.id} is gone.")
        elif after is not None and before is None:
            yield Change(after.owner, "alert", f"There is a new alert {after.id}: {_alert(after)}.")
        elif after is not None and before is not None:
            yield Change(
                after.owner, "alert", f"The alert {after.id}: {_alert(after)}; before {_alert(before)}."
            )


def _alert(rule: AlertRule) -> str:
    return ", ".join([_condition(rule), *_notified(rule)])


def _condition(rule: AlertRule) -> str:
    whom = f"{rule.severity} to {team_name(rule.owner)}"
    if rule.kind == OVERDUE_IN_WINDOW:
        return f"{whom} at {rule.threshold:,} overdue of at least {rule.minimum_n:,} in {span(rule.window)}"
    state = "at risk" if rule.kind == AT_RISK else "past due"
    teams = f"{team_name(rule.from_team) if rule.from_team else 'any team'} to"
    teams += f" {team_name(rule.to_team) if rule.to_team else 'any team'}"
    held = f" for {span(rule.held_for)}" if rule.held_for else ""
    return f"{whom} when {rule.sla.replace('_', ' ')} from {teams} is {state}{held}"


def _notified(rule: AlertRule) -> Iterator[str]:
    """Who is notified of it, and when."""
    if rule.receivers:
        yield f"sent to {listed(rule.receivers)}"
    if rule.quiet_hours:
        yield "not in quiet hours"
    if rule.group_by:
        group = rule.group_by.replace("_", " ")
        yield f"those of one {group} within {span(rule.group_within)} in one message"
    if rule.escalate_after:
        within = span(rule.escalate_after)
        yield f"sent to {listed(rule.escalate_to)} when nobody acknowledges it within {within}"
