"""The view handoff_latency: how long each handoff waited, and for what."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import Calendar, iso, minutes
from tests.oracle.business_time import open_time
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Fact, Log, Row, is_buyer_signal, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("handoff_id",)
SEGMENTS = ("integration", "routing", "answer", "attempt", "off_hours", "buyer")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff offered. Minutes are elapsed microseconds / 60000000.0."""
    for handoff in handoffs(log).values():
        calendar = playbook.calendar(handoff.owner, handoff.to_team)
        answered_at = handoff.answered_at
        elapsed = business = None
        if answered_at is not None:
            elapsed = minutes(answered_at - handoff.offered_at)
            business = minutes(open_time(calendar, handoff.offered_at, answered_at))
        answers = handoff.answers
        yield {
            "handoff_id": handoff.handoff_id,
            "lead_id": handoff.lead_id,
            "from_team": handoff.from_team,
            "to_team": handoff.to_team,
            "owner": handoff.owner,
            "offered_at": iso(handoff.offered_at),
            "answered_at": optional_iso(answered_at),
            "answer": answers[0].type.removeprefix("Handoff").lower() if answers else None,
            "elapsed_minutes": elapsed,
            "business_minutes": business,
            "is_clock_suspect": handoff.is_clock_suspect,
            "first_attempt_at": optional_iso(handoff.first_attempt_at),
            "attempts": len(handoff.human_attempts),
            "reached_at": optional_iso(handoff.reached_at),
            **_segments(handoff, calendar, _trigger(log, handoff)),
        }


def _segments(handoff: Handoff, calendar: Calendar, trigger: Fact | None) -> Row:
    """The parts of the way from the buyer's last signal to the last milestone, in minutes."""
    parts: Row = dict.fromkeys(f"segment_{name}" for name in SEGMENTS)
    offered_at, answered_at = handoff.offered_at, handoff.answered_at
    if trigger is not None:
        parts["segment_integration"] = minutes(trigger.recorded_at - trigger.occurred_at)
        parts["segment_routing"] = minutes(offered_at - trigger.recorded_at)
    if answered_at is None:
        return parts
    open_answer = open_time(calendar, offered_at, answered_at)
    parts["segment_answer"] = minutes(open_answer)
    off_hours = answered_at - offered_at - open_answer
    if handoff.first_attempt_at is not None:
        worked_at = max(handoff.first_attempt_at, answered_at)
        open_attempt = open_time(calendar, answered_at, worked_at)
        parts["segment_attempt"] = minutes(open_attempt)
        off_hours += worked_at - answered_at - open_attempt
        if handoff.reached_at is not None:
            parts["segment_buyer"] = minutes(max(handoff.reached_at, worked_at) - worked_at)
    parts["segment_off_hours"] = minutes(off_hours)
    return parts


def _trigger(log: Log, handoff: Handoff) -> Fact | None:
    """The lead's latest inbound human touch at or before the offer."""
    found = None
    for fact in log.by_lead[handoff.lead_id]:
        if fact.occurred_at > handoff.offered_at:
            break
        if is_buyer_signal(fact):
            found = fact
    return found
