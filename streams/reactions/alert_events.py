"""Alert events about one handoff: from a step of an incident to the message that says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from projections.alert_rules import AT_RISK
from projections.changes.sentences import counted, team_name
from projections.incidents import OPENED, RESOLVED, Obligation, Step
from schemas.catalogue import CATALOGUE, EventType
from schemas.codec import encode
from streams.kafka.headers import cloud_event_headers
from streams.kafka.producer import Message

SOURCE = "baton"
OPENED_EVENT = CATALOGUE.event_types["AlertOpened"]
RESOLVED_EVENT = CATALOGUE.event_types["AlertResolved"]
RETRACTED_EVENT = CATALOGUE.event_types["AlertRetracted"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OWED = {
    "answer": "an answer",
    "first_attempt": "a first attempt to reach the buyer",
    "attempts": "the agreed attempts to reach the buyer",
    "acknowledge_return": "an answer to a returned lead",
}


def message_of(step: Step, obligation: Obligation, now: datetime) -> Message:
    """The event of a step. However often it is made, it is the same event."""
    alert_id = step.incident.alert_id(obligation)
    record = {"alert_id": alert_id, "recorded_at": now, "source": SOURCE, "occurred_at": step.at}
    if step.kind == OPENED:
        return _message(OPENED_EVENT, {**record, **_opened(step, obligation)}, "opened")
    if step.kind == RESOLVED:
        said = {"observed": None, "cause": step.why, "late_minutes": obligation.late_minutes}
        return _message(RESOLVED_EVENT, {**record, **said}, "resolved")
    # In event time it never was: it is retracted when that became known. Where the clock stands still, each
    # measurement of a handoff has a version a microsecond beyond it.
    known_at = min(_EPOCH + timedelta(microseconds=obligation.version), now)
    return _message(RETRACTED_EVENT, {**record, "occurred_at": known_at, "reason": step.why}, "retracted")


def event_message(event: EventType, record: dict[str, Any]) -> Message:
    """An event of funnel.alerts, keyed by its incident."""
    return Message(
        event.topic, record["alert_id"].encode(), encode(event, record), cloud_event_headers(event, record)
    )


def _message(event: EventType, record: dict[str, Any], kind: str) -> Message:
    return event_message(event, {**record, "event_id": f"{record['alert_id']}-{kind}"})


def _opened(step: Step, obligation: Obligation) -> dict[str, Any]:
    rule = step.rule
    assert rule is not None
    return {
        "rule": rule.id,
        "severity": rule.severity,
        "subject_kind": "handoff",
        "subject_id": obligation.handoff_id,
        "window_start_at": None,
        "window_end_at": None,
        "observed": 1.0,
        "threshold": 1.0,
        "sample_size": 1,
        "summary": summary(rule.kind == AT_RISK, obligation),
        "owner_team": rule.owner,
        "subject_lead_id": obligation.lead_id,
        "sla": obligation.sla,
        "episode": obligation.episode,
        "owed_by": obligation.owed_by,
        "owed_to": obligation.owed_to,
        "owner": obligation.owner,
        "starts_at": obligation.starts_at,
        "due_at": obligation.due_at,
        "clock": obligation.clock,
        "calendar": obligation.calendar,
        "allowed_minutes": obligation.allowed_minutes,
        "playbook_version": obligation.playbook_version,
    }


def summary(is_at_risk: bool, obligation: Obligation) -> str:
    """One sentence to act on."""
    who = team_name(obligation.owed_by) + (f" ({obligation.owner})" if obligation.owner else "")
    what = f"{OWED[obligation.sla]} on handoff {obligation.handoff_id}"
    owed = f"{who} owes {team_name(obligation.owed_to)} {what}"
    due = f"{obligation.due_at:%Y-%m-%d %H:%M} UTC" if obligation.due_at else "open"
    allowed = f"{minutes_said(obligation.allowed_minutes)} of {obligation.clock} time"
    state = "at risk, due" if is_at_risk else "past due since"
    return f"{owed}: {state} {due}, {allowed} allowed"


def minutes_said(minutes: float) -> str:
    """Minutes as people say them: 45 minutes, 2 hours, 2 h 5 min."""
    whole = round(minutes)
    if whole < 120 and whole % 60:
        return counted(whole, "minute")
    return counted(whole // 60, "hour") if whole % 60 == 0 else f"{whole // 60:,} h {whole % 60} min"
