"""The view handoff_latency: how long each handoff waited, and for what."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import datetime_of, iso, minutes
from tests.oracle.business_time import open_time
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Fact, Log, Row, is_buyer_signal, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("handoff_id",)
SEGMENTS = ("integration", "routing", "answer", "attempt", "off_hours", "paused", "buyer")
BANDS = ((5, "0-5"), (15, "5-15"), (60, "15-60"))


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff offered. Minutes are elapsed microseconds / 60000000.0."""
    teams = {person: row["team"] for row in playbook.text.get("member", []) for person in row["ids"]}
    for handoff in handoffs(log).values():
        answered_at = handoff.answered_at
        elapsed = business = band = None
        if answered_at is not None:
            elapsed = minutes(answered_at - handoff.offered_at)
            business = minutes(_open(playbook, handoff, handoff.offered_at, answered_at))
            if not handoff.is_clock_suspect:
                band = next((name for limit, name in BANDS if elapsed < limit), "60+")
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
            "band": band,
            "is_clock_suspect": handoff.is_clock_suspect,
            "first_attempt_at": optional_iso(handoff.first_attempt_at),
            "attempts": len(handoff.human_attempts),
            "reached_at": optional_iso(handoff.reached_at),
            "owner_team": teams.get(handoff.owner or "", handoff.to_team),
            "offered_on": playbook.day_of(handoff.offered_at).isoformat(),
            "offered_hour": datetime_of(handoff.offered_at).astimezone(playbook.zone).hour,
            **_segments(playbook, handoff, _first_unanswered(log, handoff)),
        }


def _open(playbook: Playbook, handoff: Handoff, start: int, end: int) -> int:
    """Open time, each owner's part by that owner's calendar, without pauses; negative from late to early."""
    if end < start:
        return -_open(playbook, handoff, end, start)
    return sum(
        open_time(playbook.calendar(p.owner, handoff.to_team), max(start, p.from_at), min(end, p.until_at))
        for p in handoff.periods
        if p.pause_reason is None and p.from_at < end and p.until_at > start
    )


def _segments(playbook: Playbook, handoff: Handoff, signal: Fact | None) -> Row:
    """The parts of the way from the buyer's signal to the last milestone, in minutes."""
    parts: Row = dict.fromkeys(f"segment_{name}" for name in SEGMENTS)
    offered_at, answered_at = handoff.offered_at, handoff.answered_at
    ends_at, starts_at = offered_at, offered_at
    if signal is not None:
        starts_at = signal.occurred_at
        known_at = max(starts_at, min(signal.recorded_at, offered_at))
        parts["segment_integration"] = minutes(known_at - starts_at)
        parts["segment_routing"] = minutes(offered_at - known_at)
    if answered_at is not None and not handoff.is_clock_suspect:
        ends_at = answered_at
        worked = _open(playbook, handoff, offered_at, answered_at)
        parts["segment_answer"] = minutes(worked)
        touched = [at for at in (handoff.first_attempt_at, handoff.reached_at) if at is not None]
        if touched:
            ends_at = max(min(touched), answered_at)
            attempt = _open(playbook, handoff, answered_at, ends_at)
            parts["segment_attempt"] = minutes(attempt)
            worked += attempt
        pauses = [
            p for p in handoff.periods if p.pause_reason and p.from_at < ends_at and p.until_at > offered_at
        ]
        paused = sum(min(p.until_at, ends_at) - max(p.from_at, offered_at) for p in pauses)
        parts["segment_paused"] = minutes(paused) if pauses else None
        parts["segment_off_hours"] = minutes(ends_at - offered_at - worked - paused)
        if handoff.reached_at is not None:
            reached_at = max(handoff.reached_at, ends_at)
            parts["segment_buyer"] = minutes(reached_at - ends_at)
            ends_at = reached_at
    parts["signal_at"] = None if signal is None else iso(starts_at)
    parts["total_minutes"] = minutes(ends_at - starts_at)
    return parts


def _first_unanswered(log: Log, handoff: Handoff) -> Fact | None:
    """The lead's first inbound human touch by the offer that no human had answered."""
    found: Fact | None = None
    facts = log.by_lead[handoff.lead_id]
    for fact in sorted(facts, key=lambda fact: (fact.occurred_at, _is_human_answer(fact), fact.recorded_at)):
        if fact.occurred_at > handoff.offered_at:
            break
        if is_buyer_signal(fact):
            found = found or fact
        elif _is_human_answer(fact) and fact.occurred_at < handoff.offered_at:
            found = None
    return found


def _is_human_answer(fact: Fact) -> bool:
    if fact.type == "TouchRecorded":
        return not fact.fields["is_inbound"] and not fact.fields["is_automated"]
    return fact.type == "BuyerReached" or fact.type == "ContactAttempted" and not fact.fields["is_automated"]
