"""The agent that counts overdue answers of a pair of teams in a window: opens an alert at the threshold,
resolves it when the window is over, and retracts it when late events leave too few.

Windows are in event time, by the moment an answer was due, so a replayed log opens the same alerts as the
live one. Counting is by handoff, and an alert opens at the moment the threshold-th handoff became overdue,
whatever the order of arrival: a late event may move that moment back, which emits one more AlertOpened of
the same alert, and the earliest counts.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from projections.alert_rules import OVERDUE_IN_WINDOW, AlertRule
from projections.incidents import OPENED, RESOLVED, RETRACTED
from schemas.codec import Failure
from streams.kafka.producer import Message
from streams.kafka.topics import OVERDUE_BY_PAIR
from streams.reactions.alert_events import (
    OPENED_EVENT,
    RESOLVED_EVENT,
    RETRACTED_EVENT,
    SOURCE,
    event_message,
)
from streams.reactions.measurements import Event, dead_letter, pair_of, read_measured
from streams.reactions.rule_agent import RuleAgent

_ABOUT_A_HANDOFF = (
    "subject_lead_id",
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
_WINDOW = "window|"
# Of a window the earliest handoffs are kept: so many times what an alert needs, which bounds its size and
# leaves enough when late events take some back.
_KEPT_PER_NEEDED, _KEPT_AT_LEAST = 4, 200

# Two kinds of entries. Of a handoff: {"version", "due"}, the latest that was measured. Of a rule, a pair and
# a window: {"rule", "pair", "start", "minutes", "overdue": {handoff: microseconds}, "state", "opened",
# "times"}.
Tally = dict[str, Any]


@dataclass(kw_only=True)
class OverdueAlerts(RuleAgent):
    """Counts obligations to answer. `ends_at` says of open windows when they are over; it is kept in memory
    only and computed again from the table."""

    ends_at: dict[str, datetime] = field(default_factory=dict)

    async def _take(self, event: Event) -> None:
        """Count an obligation under every rule in force when it was due."""
        value = event.message.value
        if value is not None and value.startswith(_WINDOW.encode()):
            await self._count(value.decode(), {})
            return
        measured = read_measured(value, self.registry)
        if isinstance(measured, Failure):
            await self.deliver([dead_letter(event.message, measured, self.names)])
            return
        if "reached" not in measured:  # of an earlier Baton
            return
        known_as = f"handoff|{measured['handoff_id']}|{measured['episode']}"
        before = self.store.get(known_as)
        if before and before["version"] >= measured["version"]:
            return
        is_overdue = measured["reached"] == 2 and measured["late_at"] is not None
        due = _micros(measured["due_at"]) if is_overdue and measured["due_at"] is not None else None
        moments = {before["due"] if before else None, due} - {None}
        handoff = _digest(measured["handoff_id"])[:16]
        for moment in sorted(moment for moment in moments if moment is not None):
            at = _EPOCH + timedelta(microseconds=moment)
            for rule in self.board.rules_at(at):
                if rule.kind == OVERDUE_IN_WINDOW:
                    place = window_key(rule, pair_of(measured), at)
                    await self._count(place, {handoff: moment if moment == due else None})
        self.store.put(known_as, {"version": measured["version"], "due": due})

    async def _count(self, place: str, changed: dict[str, int | None]) -> None:
        """Let handoffs be overdue in a window, or no longer (None); say what follows by now."""
        rule_id, pair, start_at, end_at = _window_of(place)
        rule = self.board.rule(rule_id, start_at) or self._rule(rule_id)
        before = self.store.get(place) or {"overdue": {}, "state": "", "opened": None, "times": 0}
        if rule is None:
            return
        tally, messages = _follow(rule, pair, (start_at, end_at), before, changed, self.clock())
        if messages:
            await self.deliver(messages)
        if tally != before:
            self.store.put(place, tally)
        self._note_end(place, tally, end_at)

    def _rule(self, rule_id: str) -> AlertRule | None:
        """The rule as it is now, of a window that began before it was in force."""
        return self.board.rule(rule_id, self.clock())

    def _note_end(self, place: str, tally: Tally, end_at: datetime) -> None:
        if tally["state"] == OPENED:
            self.ends_at[place] = end_at
        else:
            self.ends_at.pop(place, None)

    def look_at_all(self) -> None:
        """After a restart or a rebalance: note which windows are to end."""
        for place, tally in list(self.store.items()):
            if place.startswith(_WINDOW):
                self._note_end(place, tally, _window_of(place)[3])

    def take_due(self) -> list[Message]:
        """What the agent is to be asked: windows that are over."""
        now = self.clock()
        found = [place for place, at in self.ends_at.items() if at <= now]
        for place in found:
            del self.ends_at[place]
        return [
            Message(OVERDUE_BY_PAIR, _window_of(place)[1].encode(), place.encode(), {}) for place in found
        ]


def _follow(
    rule: AlertRule,
    pair: str,
    window: tuple[datetime, datetime],
    before: Tally,
    changed: dict[str, int | None],
    now: datetime,
) -> tuple[Tally, list[Message]]:
    """The tally after the change, and the events that follow from it."""
    needed = max(rule.threshold, rule.minimum_n)
    overdue = {handoff: at for handoff, at in {**before["overdue"], **changed}.items() if at is not None}
    kept = sorted(overdue.items(), key=lambda item: (item[1], item[0]))
    kept = kept[: max(_KEPT_PER_NEEDED * needed, _KEPT_AT_LEAST)]
    tally = {**before, "overdue": dict(kept)}
    messages = []
    holds_from = kept[needed - 1][1] if len(kept) >= needed else None
    if holds_from is None and tally["state"] in (OPENED, RESOLVED):
        reason = f"only {len(kept)} of them were overdue: late events took others back"
        messages.append(_ended(RETRACTED_EVENT, rule, pair, window, tally, now, {"reason": reason}, now))
        tally |= {"state": RETRACTED}
    if holds_from is not None and tally["state"] in ("", RETRACTED):
        tally |= {
            "times": tally["times"] + (tally["state"] == RETRACTED),
            "state": OPENED,
            "opened": holds_from,
        }
        messages.append(_opened(rule, pair, window, tally, needed, now))
    elif holds_from is not None and holds_from < tally["opened"]:
        tally |= {"opened": holds_from}
        messages.append(_opened(rule, pair, window, tally, needed, now))
    if tally["state"] == OPENED and now >= window[1]:
        said = {"observed": float(len(kept)), "cause": "window_ended", "late_minutes": None}
        messages.append(_ended(RESOLVED_EVENT, rule, pair, window, tally, window[1], said, now))
        tally |= {"state": RESOLVED}
    return tally, messages


def _opened(
    rule: AlertRule, pair: str, window: tuple[datetime, datetime], tally: Tally, count: int, now: datetime
) -> Message:
    from_team, _, to_team = pair.partition(">")
    alert_id = _alert_id(rule, pair, window, tally)
    minutes = rule.window // timedelta(minutes=1)
    record = {
        "event_id": f"{alert_id}-{tally['opened']}",
        "occurred_at": _EPOCH + timedelta(microseconds=tally["opened"]),
        "recorded_at": now,
        "source": SOURCE,
        "alert_id": alert_id,
        "rule": rule.id,
        "severity": rule.severity,
        "subject_kind": "handoff_pair",
        "subject_id": pair,
        "window_start_at": window[0],
        "window_end_at": window[1],
        "observed": float(count),
        "threshold": float(rule.threshold),
        "sample_size": count,
        "summary": f"{to_team} left {count} handoffs from {from_team} unanswered past"
        f" their deadline within {minutes} minutes (threshold {rule.threshold}); owner: {rule.owner}",
    }
    return event_message(
        OPENED_EVENT, {**dict.fromkeys(_ABOUT_A_HANDOFF), **record, "owner_team": rule.owner}
    )


def _ended(
    event: Any,
    rule: AlertRule,
    pair: str,
    window: tuple[datetime, datetime],
    tally: Tally,
    at: datetime,
    said: dict[str, Any],
    now: datetime,
) -> Message:
    alert_id = _alert_id(rule, pair, window, tally)
    kind = "retracted" if event is RETRACTED_EVENT else "resolved"
    envelope = {"event_id": f"{alert_id}-{kind}", "occurred_at": at, "recorded_at": now, "source": SOURCE}
    return event_message(event, {**envelope, "alert_id": alert_id, **said})


def _alert_id(rule: AlertRule, pair: str, window: tuple[datetime, datetime], tally: Tally) -> str:
    """times: how often the very same window was retracted before, which makes it another incident."""
    said = [rule.id, pair, window[0].isoformat(), str(rule.window)]
    return _digest("|".join(said + [str(tally["times"])] * (tally["times"] > 0)))[:32]


def window_key(rule: AlertRule, pair: str, instant: datetime) -> str:
    """The entry of the window that an instant lies in."""
    start_at = window_start(instant, rule.window)
    said = [rule.id, pair, start_at.isoformat(), (start_at + rule.window).isoformat()]
    return _WINDOW + json.dumps(said)


def _window_of(place: str) -> tuple[str, str, datetime, datetime]:
    """Rule, pair, start and end of an entry of a window."""
    rule, pair, start, end = json.loads(place.removeprefix(_WINDOW))
    return rule, pair, datetime.fromisoformat(start), datetime.fromisoformat(end)


def window_start(instant: datetime, size: timedelta) -> datetime:
    """Start of the tumbling window an instant lies in; windows are counted from 1970-01-01 UTC."""
    return instant - (instant - _EPOCH) % size


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
