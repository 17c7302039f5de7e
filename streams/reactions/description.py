"""A notice in words: what is late, since when and by how much in business time, whose part it is, what the
SLA is, and where the evidence is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from projections.alert_rules import AlertRule
from projections.business_time import Calendar
from projections.changes.sentences import team_name
from projections.open_time import open_between
from projections.playbook import Playbook
from streams.reactions.alert_events import OWED, minutes_said
from streams.reactions.notices import ENDED, Known, Notice, instant
from streams.reactions.rule_board import RuleBoard
from streams.receivers.notification import Notification

_MINUTE = timedelta(minutes=1)
_CAUSES = {
    "met": "done",
    "lapsed": "no longer needed",
    "moot": "merged into another record",
    "window_ended": "the window is over",
    "rule_removed": "the rule is no longer in the playbook",
}


class Description:
    """Puts notices into words. page: address of the page, without a slash at its end. may_cost: what one
    such case may cost, in money as people read it; "" when that is not known."""

    def __init__(
        self, board: RuleBoard, page: str, clock: Callable[[], datetime], may_cost: Callable[[str], str]
    ) -> None:
        self.board = board
        self.page = page
        self.clock = clock
        self.may_cost = may_cost

    def __call__(self, alert_id: str, known: Known, rule: AlertRule, notice: Notice) -> Notification:
        """The notification of a notice, as of now."""
        opened, ended = known["opened"], known.get("ended")
        opened_at = instant(opened["occurred_at"])
        playbook = self._playbook(opened_at)
        zone = ZoneInfo(rule.quiet_hours.zone if rule.quiet_hours else _zone(playbook, rule.owner))
        is_ended = notice.step == ENDED and ended is not None
        facts = [*self._facts(opened, playbook, zone), *_acknowledged(known)]
        if is_ended and ended is not None:
            facts = [*facts, *_ending(ended, zone)]
        return Notification(
            notice_id=notice.notice_id,
            alert_id=alert_id,
            step=notice.step,
            rule=rule.id,
            severity=opened["severity"],
            subject=_subject(opened),
            summary=opened["summary"],
            facts=tuple(facts),
            link=self._link(opened),
            opened_at=opened_at,
            ended_at=instant(ended["occurred_at"]) if is_ended and ended else None,
            is_retracted=bool(is_ended and ended and ended["how"] == "retracted"),
        )

    def _playbook(self, at: datetime) -> Playbook:
        found = next((p for p in reversed(self.board.periods) if p.governs(at)), self.board.periods[0])
        return found.playbook

    def _facts(self, opened: dict[str, Any], playbook: Playbook, zone: ZoneInfo) -> list[tuple[str, str]]:
        if opened.get("sla") is None:
            window = (opened["window_start_at"], opened["window_end_at"])
            between = " to ".join(_shown(instant(at), zone) for at in window if at is not None)
            return [("observed", f"{opened['observed']:g} of {opened['threshold']:g}"), ("window", between)]
        allowed = minutes_said(opened["allowed_minutes"])
        facts = [
            ("handoff", opened["subject_id"]),
            ("lead", opened["subject_lead_id"] or ""),
            (
                "whose part",
                team_name(opened["owed_by"]) + (f", {opened['owner']}" if opened["owner"] else ""),
            ),
            ("who waits", team_name(opened["owed_to"])),
            ("SLA", f"{OWED[opened['sla']]} within {allowed} ({opened['clock']} time)"),
        ]
        if opened["due_at"] is not None:
            due_at, now = instant(opened["due_at"]), self.clock()
            facts.append(("due", _shown(due_at, zone)))
            if now > due_at:
                calendar = _calendar(playbook, opened["calendar"])
                late = now - due_at
                if opened["clock"] == "business" and calendar is not None:
                    late = open_between(calendar, due_at, now)
                facts.append(("late by", f"{minutes_said(late / _MINUTE)} of {opened['clock']} time"))
        cost = self.may_cost(opened["sla"])
        return [*facts, ("may cost", cost)] if cost else facts

    def _link(self, opened: dict[str, Any]) -> str:
        if opened["subject_kind"] == "handoff":
            return f"{self.page}/life/handoff/{quote(opened['subject_id'], safe='')}"
        return f"{self.page}/"


def _subject(opened: dict[str, Any]) -> str:
    return (
        f"handoff {opened['subject_id']}"
        if opened["subject_kind"] == "handoff"
        else str(opened["subject_id"])
    )


def _acknowledged(known: Known) -> list[tuple[str, str]]:
    said = known.get("acknowledged")
    return [] if said is None else [("acknowledged by", str(said["acknowledged_by"]))]


def _ending(ended: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    at = ("ended", _shown(instant(ended["occurred_at"]), zone))
    if ended["how"] == "retracted":
        return [("retracted", str(ended["reason"]))]
    late = ended.get("late_minutes")
    said = [("late in the end by", minutes_said(late))] if late is not None else []
    return [at, ("how", _CAUSES.get(ended.get("cause") or "", "it no longer holds")), *said]


def _zone(playbook: Playbook, team: str) -> str:
    calendars = {calendar.id: calendar.zone for calendar in playbook.calendars}
    return next((calendars[t.calendar] for t in playbook.teams if t.id == team), playbook.zone)


def _calendar(playbook: Playbook, calendar_id: str | None) -> Calendar | None:
    return next((c for c in playbook.calendars if c.id == calendar_id), None)


def _shown(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"
