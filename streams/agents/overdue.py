"""The agent that counts overdue answers of a pair of teams in a window, and opens an alert at the threshold.

Windows are cut in event time, from the moment a deadline passed, so a replayed log opens the alerts
the live one did. Counting is by handoff: the same one again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from projections.playbook import AlertRule
from schemas.catalogue import CATALOGUE
from schemas.codec import Failure, RegistryLookup, encode
from streams.agents.measured import BeforeAck, Deliver, Event, dead_letter, pair_of, read_measured
from streams.outbox import Message, cloud_event_headers

EVENT = CATALOGUE.event_types["AlertOpened"]
KIND = "overdue_in_window"
SOURCE = "baton"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What is known of one rule, pair and window: {"overdue_at": {handoff: microseconds}, "is_open": bool}.
# Once the alert is open nothing more needs to be known, which bounds its size by the threshold.
Tally = dict[str, Any]


class Windows(Protocol):
    """Tallies by key, in the window that the event being processed belongs to."""

    def get(self, key: str) -> Tally | None: ...

    def put(self, key: str, tally: Tally) -> None: ...


async def open_alerts(
    events: AsyncIterable[Event],
    *,
    rules: Sequence[AlertRule],
    windows_of: Callable[[AlertRule], Windows],
    deliver: Deliver,
    before_ack: BeforeAck,
    clock: Callable[[], datetime],
    registry: RegistryLookup | None = None,
) -> AsyncIterator[None]:
    """Count each overdue measurement under every rule. An alert is opened once, by its id.

    The alert is in Kafka before the tally says so: a crash in between opens it again, under the same id.
    """
    async for event in events:
        async with before_ack():
            measured = read_measured(event.message.value, registry)
            if isinstance(measured, Failure):
                await deliver([dead_letter(event.message, measured)])
            else:
                for rule in rules:
                    await _count(measured, rule, windows_of(rule), deliver, clock)
        yield


async def _count(
    measured: dict[str, Any],
    rule: AlertRule,
    windows: Windows,
    deliver: Deliver,
    clock: Callable[[], datetime],
) -> None:
    pair = pair_of(measured)
    key = f"{rule.id}|{pair}"
    tally = windows.get(key) or {"overdue_at": {}, "is_open": False}
    handoff = _digest(measured["handoff_id"])[:16]
    if tally["is_open"] or (handoff in tally["overdue_at"] and not _is_reached(tally, rule)):
        return
    overdue_at = {**tally["overdue_at"], handoff: _micros(measured["occurred_at"])}
    tally = {"overdue_at": overdue_at, "is_open": False}
    if _is_reached(tally, rule):
        await deliver([_alert_opened(rule, measured, tally, clock())])
        tally = {"overdue_at": {}, "is_open": True}
    windows.put(key, tally)


def _is_reached(tally: Tally, rule: AlertRule) -> bool:
    return len(tally["overdue_at"]) >= max(rule.threshold, rule.minimum_n)


def _alert_opened(rule: AlertRule, measured: dict[str, Any], tally: Tally, now: datetime) -> Message:
    pair = pair_of(measured)
    count = len(tally["overdue_at"])
    opened_at = _EPOCH + timedelta(microseconds=max(tally["overdue_at"].values()))
    start_at = window_start(opened_at, rule.window)
    alert_id = _digest("|".join((rule.id, pair, start_at.isoformat(), str(rule.window))))[:32]
    minutes = rule.window // timedelta(minutes=1)
    record = {
        "event_id": f"{alert_id}-opened",
        "occurred_at": opened_at,
        "recorded_at": now,
        "source": SOURCE,
        "alert_id": alert_id,
        "rule": rule.id,
        "severity": rule.severity,
        "subject_kind": "handoff_pair",
        "subject_id": pair,
        "window_start_at": start_at,
        "window_end_at": start_at + rule.window,
        "observed": float(count),
        "threshold": float(rule.threshold),
        "sample_size": count,
        "summary": f"{measured['to_team']} left {count} handoffs from {measured['from_team']} unanswered past"
        f" their deadline within {minutes} minutes (threshold {rule.threshold}); owner: {rule.owner}",
    }
    headers = cloud_event_headers(EVENT, record)
    return Message(EVENT.topic, alert_id.encode(), encode(EVENT, record), headers)


def window_start(instant: datetime, size: timedelta) -> datetime:
    """Start of the tumbling window an instant lies in; windows are counted from 1970-01-01 UTC."""
    return instant - (instant - _EPOCH) % size


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
