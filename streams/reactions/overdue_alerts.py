"""The agent that counts overdue answers of a pair of teams in a window, and opens an alert at the threshold.

Windows are in event time, by the moment a deadline passed, so a replayed log opens the same alerts as the
live one. Counting is by handoff, and an alert opens at the moment the threshold-th handoff became overdue,
whatever the order of arrival: a late event may move that moment back, which emits one more AlertOpened of
the same alert, and the earliest counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from projections.alert_rules import OVERDUE_IN_WINDOW, AlertRule
from schemas.codec import Failure, RegistryLookup
from streams.kafka.names import NO_PREFIX, Names
from streams.kafka.producer import Message
from streams.reactions.alert_events import OPENED_EVENT, SOURCE, event_message
from streams.reactions.measurements import BeforeAck, Deliver, Event, dead_letter, pair_of, read_measured
from streams.reactions.obligation_alerts import Store
from streams.reactions.rule_board import RuleBoard

_ABOUT_A_HANDOFF = (
    "lead_id",
    "sla",
    "episode",
    "owed_by",
    "owed_to",
    "owner",
    "starts_at",
    "due_at",
    "clock",
    "calendar",
    "allowed_minutes",
    "playbook_version",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The state of a rule, a pair and a window: {"overdue_at": {handoff: microseconds}, "opened_at": or null}.
# The earliest handoffs up to the threshold are kept, no more: that bounds its size.
Tally = dict[str, Any]


async def open_alerts(
    events: AsyncIterable[Event],
    *,
    store: Store,
    board: RuleBoard,
    deliver: Deliver,
    before_ack: BeforeAck,
    clock: Callable[[], datetime],
    registry: RegistryLookup | None = None,
    names: Names = NO_PREFIX,
) -> AsyncIterator[None]:
    """Count each overdue measurement under every rule in force then. Duplicates open nothing new.

    The alert is in Kafka before the tally records it: a crash in between opens it again, with the same ids.
    """
    async for event in events:
        async with before_ack():
            measured = read_measured(event.message.value, registry)
            if isinstance(measured, Failure):
                await deliver([dead_letter(event.message, measured, names)])
            else:
                for rule in board.rules_at(measured["occurred_at"]):
                    if rule.kind == OVERDUE_IN_WINDOW:
                        await _count(measured, rule, store, deliver, clock)
        yield


async def _count(
    measured: dict[str, Any],
    rule: AlertRule,
    store: Store,
    deliver: Deliver,
    clock: Callable[[], datetime],
) -> None:
    start_at = window_start(measured["occurred_at"], rule.window)
    key = f"{rule.id}|{pair_of(measured)}|{start_at.isoformat()}|{rule.window}"
    before = store.get(key) or {"overdue_at": {}, "opened_at": None}
    overdue_at = _with(before["overdue_at"], measured, needed := max(rule.threshold, rule.minimum_n))
    opened_at = before["opened_at"]
    if len(overdue_at) >= needed and (opened_at is None or max(overdue_at.values()) < opened_at):
        opened_at = max(overdue_at.values())
        await deliver([_alert_opened(rule, measured, needed, opened_at, clock())])
    tally = {"overdue_at": overdue_at, "opened_at": opened_at}
    if tally != before:
        store.put(key, tally)


def _with(overdue_at: dict[str, int], measured: dict[str, Any], most: int) -> dict[str, int]:
    """The earliest `most` handoffs, this one included."""
    handoff, moment = _digest(measured["handoff_id"])[:16], _micros(measured["occurred_at"])
    known = {**overdue_at, handoff: min(moment, overdue_at.get(handoff, moment))}
    return dict(sorted(known.items(), key=lambda item: (item[1], item[0]))[:most])


def _alert_opened(
    rule: AlertRule, measured: dict[str, Any], count: int, opened_us: int, now: datetime
) -> Message:
    pair = pair_of(measured)
    opened_at = _EPOCH + timedelta(microseconds=opened_us)
    start_at = window_start(opened_at, rule.window)
    alert_id = _digest("|".join((rule.id, pair, start_at.isoformat(), str(rule.window))))[:32]
    minutes = rule.window // timedelta(minutes=1)
    record = {
        "event_id": f"{alert_id}-{opened_us}",
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
    return event_message(
        OPENED_EVENT, {**record, **dict.fromkeys(_ABOUT_A_HANDOFF), "owner_team": rule.owner}
    )


def window_start(instant: datetime, size: timedelta) -> datetime:
    """Start of the tumbling window an instant lies in; windows are counted from 1970-01-01 UTC."""
    return instant - (instant - _EPOCH) % size


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
