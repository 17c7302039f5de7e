"""The agent over obligations: opens, resolves and retracts the alerts of rules about one handoff.

It keeps what is known of each handoff's obligations, and what was said about them. An obligation that is
measured out of order is left aside: the highest version counts. Alerts are in Kafka before the table records
them: a crash in between sends them again, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from projections.incidents import Incident, Obligation, follow, next_at, obligation_of
from schemas.codec import Failure
from streams.reactions.alert_events import message_of
from streams.reactions.measurements import Event, dead_letter, read_measured
from streams.reactions.rule_agent import RuleAgent

# What is known of a handoff: {"<sla>|<episode>": {"obligation": {...}, "incidents": [[rule, began, state,
# times]]}}
Known = dict[str, Any]

_AT_ONCE = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = ("starts_at", "due_at", "at_risk_at", "late_at", "ended_at")


@dataclass(kw_only=True)
class ObligationAlerts(RuleAgent):
    """Follows obligations. `due_at` says of a handoff when time alone changes something: a rule that says
    `for`. It is kept in memory only and computed again from the table."""

    due_at: dict[str, datetime] = field(default_factory=dict)

    async def _take(self, event: Event) -> None:
        """Follow a measurement. A record without a value asks to follow the handoff of its key again."""
        record = event.message
        if not record.value:
            handoff = (record.key or b"").decode()
            known = self.store.get(handoff)
            if known:
                await self._follow(handoff, known, known.keys())
            return
        measured = read_measured(record.value, self.registry)
        if isinstance(measured, Failure):
            await self.deliver([dead_letter(record, measured, self.names)])
            return
        obligation = obligation_of(measured)
        known = self.store.get(obligation.handoff_id) or {}
        place = f"{obligation.sla}|{obligation.episode}"
        before = known.get(place)
        if before and before["obligation"]["version"] >= obligation.version:
            return
        said = before["incidents"] if before else []
        after = {**known, place: {"obligation": _as_json(obligation), "incidents": said}}
        await self._follow(obligation.handoff_id, after, [place], is_changed=True)

    async def _follow(
        self, handoff: str, known: Known, places: Iterable[str], *, is_changed: bool = False
    ) -> None:
        now = self.clock()
        messages = []
        for place in list(places):
            obligation, incidents = _read(known[place])
            steps, said = follow(obligation, incidents, self.board.rules_at, now)
            messages += [message_of(step, obligation, now) for step in steps]
            if steps:
                known = {**known, place: {**known[place], "incidents": [_said(each) for each in said]}}
        if messages:
            await self.deliver(messages)
        if messages or is_changed:
            self.store.put(handoff, known)
        self._note_due(handoff, known, now)

    def _note_due(self, handoff: str, known: Known, now: datetime) -> None:
        due = [at for at in (self._next_at(each, now) for each in known.values()) if at is not None]
        if due:
            self.due_at[handoff] = min(due)
        else:
            self.due_at.pop(handoff, None)

    def _next_at(self, said: dict[str, Any], now: datetime) -> datetime | None:
        if said["obligation"]["ended_at"] is not None:
            return None
        obligation, _ = _read(said)
        moments = {obligation.at_risk_at, obligation.late_at} - {None}
        rules = [rule for moment in moments if moment for rule in self.board.rules_at(moment)]
        return next_at(rules, obligation, now)

    async def look_at_all(self) -> list[str]:
        """After a restart, a rebalance or a change of the rules: note what time will change, and the handoffs
        of which the rules say something new."""
        now = self.clock()
        found = []
        for number, (handoff, known) in enumerate(list(self.store.items())):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # others go on meanwhile
            self._note_due(handoff, known, now)
            if any(follow(*_read(each), self.board.rules_at, now)[0] for each in known.values()):
                found.append(handoff)
        return found

    def take_due(self) -> list[str]:
        """Handoffs whose time has come."""
        now = self.clock()
        found = [handoff for handoff, at in self.due_at.items() if at < now]
        for handoff in found:
            del self.due_at[handoff]
        return found


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def _as_json(obligation: Obligation) -> dict[str, Any]:
    said = asdict(obligation)
    return {**said, **{name: _micros(said[name]) for name in _INSTANTS}}


def _said(incident: Incident) -> list[Any]:
    return [incident.rule, _micros(incident.began_at), incident.state, incident.times]


def _read(said: dict[str, Any]) -> tuple[Obligation, list[Incident]]:
    fields = said["obligation"]
    obligation = Obligation(**{**fields, **{name: _instant(fields[name]) for name in _INSTANTS}})
    incidents = []
    for rule, began, state, times in said["incidents"]:
        began_at = _instant(began)
        assert began_at is not None
        incidents.append(Incident(rule, began_at, state, times))
    return obligation, incidents
