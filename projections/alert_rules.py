"""The rules of the playbook that raise alerts: [[alert]] blocks, read and checked.

A rule about one handoff begins to hold when an obligation comes to be at risk, or past due, and ends with the
obligation. A rule about a window counts what became overdue between two teams.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from projections.business_time import Window, read_windows
from projections.playbook_blocks import Blocks

AT_RISK, PAST_DUE, OVERDUE_IN_WINDOW = "handoff_at_risk", "handoff_past_due", "overdue_in_window"
HANDOFF_KINDS = (AT_RISK, PAST_DUE)
KINDS = (*HANDOFF_KINDS, OVERDUE_IN_WINDOW)
SEVERITIES = ("info", "warning", "critical")
SLAS = ("answer", "first_attempt", "attempts", "acknowledge_return")
GROUPS = ("rule", "owed_by", "owner")

_ALL = {"id", "kind", "severity", "owner", "receivers", "quiet_hours", "group_by", "group_within"}
_ALL |= {"escalate_after", "escalate_to"}
_OF_HANDOFF = {"sla", "from_team", "to_team", "for"}
_OF_WINDOW = {"window", "threshold", "minimum_n"}
KEYS = {"alert": _ALL | _OF_HANDOFF | _OF_WINDOW}
_GROUP_WITHIN = timedelta(minutes=1)
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class QuietHours:
    """When nobody is disturbed: windows of local time in a zone."""

    zone: str
    windows: tuple[Window, ...]

    def until(self, instant: datetime) -> datetime:
        """The instant itself, or when the quiet hours end that it lies in."""
        while (end := self._end(instant)) is not None:
            instant = end
        return instant

    def _end(self, instant: datetime) -> datetime | None:
        zone = ZoneInfo(self.zone)
        local = instant.astimezone(zone)
        minute = local.hour * 60 + local.minute
        for days_ago in (0, 1):
            weekday = (local.weekday() - days_ago) % 7
            for window in self.windows:
                at = minute + days_ago * _DAY_MINUTES
                if (
                    window.first <= weekday <= window.last
                    and window.opens_minute <= at < window.closes_minute
                ):
                    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
                    end = midnight + timedelta(minutes=window.closes_minute - days_ago * _DAY_MINUTES)
                    found = end.replace(tzinfo=zone).astimezone(instant.tzinfo)
                    return found if found > instant else None  # an hour that the clock shows twice
        return None


@dataclass(frozen=True)
class AlertRule:
    """When something becomes an alert, and who is notified.

    held_for: wall-clock time that a handoff must stay at risk or past due before the alert opens. window,
    threshold and minimum_n belong to rules about a window. group_by: whose alerts share a message, "" for
    none; they wait up to group_within for each other. escalate_after: how long nobody may acknowledge it.
    """

    id: str
    kind: str
    severity: str
    owner: str
    sla: str = "answer"
    from_team: str | None = None
    to_team: str | None = None
    held_for: timedelta = timedelta()
    window: timedelta = timedelta()
    threshold: int = 1
    minimum_n: int = 1
    receivers: tuple[str, ...] = ()
    quiet_hours: QuietHours | None = None
    group_by: str = ""
    group_within: timedelta = timedelta()
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()


def read_alerts(blocks: Blocks, teams: Mapping[str, str]) -> tuple[AlertRule, ...]:
    """The rules of a playbook. teams: the zone each team works in. Faults are BatonErrors that name the
    line."""
    return tuple(blocks.each("alert", lambda i, block: _alert(blocks, i, block, teams)))


def _alert(blocks: Blocks, index: int, block: Mapping[str, Any], teams: Mapping[str, str]) -> AlertRule:
    kind = blocks.one_of("alert", index, block, "kind", KINDS)
    own = _OF_WINDOW if kind == OVERDUE_IN_WINDOW else _OF_HANDOFF
    for key in block:
        if key not in _ALL | own:
            known = ", ".join(sorted(_ALL | own))
            raise blocks.fault("alert", index, f"{key!r} does not belong to kind = {kind!r}; known: {known}")
    owner = blocks.text("alert", index, block, "owner")
    for name in ("owner", "from_team", "to_team"):
        if name in block and block[name] not in teams:
            raise blocks.fault("alert", index, f"{name} = {block[name]!r} is no team of this playbook")
    receivers = tuple(blocks.texts("alert", index, block, "receivers"))
    escalate_to = tuple(blocks.texts("alert", index, block, "escalate_to"))
    if ("escalate_after" in block) is not bool(escalate_to):
        raise blocks.fault("alert", index, "escalate_after and escalate_to go together: when, and to whom")
    if "group_within" in block and "group_by" not in block:
        raise blocks.fault("alert", index, "group_within goes with group_by: alerts of what share a message")
    is_grouped = "group_by" in block
    return AlertRule(
        id=blocks.text("alert", index, block, "id"),
        kind=kind,
        severity=blocks.one_of("alert", index, block, "severity", SEVERITIES),
        owner=owner,
        receivers=receivers,
        quiet_hours=_quiet_hours(blocks, index, block, teams[owner]),
        group_by=blocks.one_of("alert", index, block, "group_by", GROUPS) if is_grouped else "",
        group_within=_duration(blocks, index, block, "group_within", _GROUP_WITHIN if is_grouped else None)
        or timedelta(),
        escalate_after=_duration(blocks, index, block, "escalate_after"),
        escalate_to=escalate_to,
        **(_of_window(blocks, index, block) if own is _OF_WINDOW else _of_handoff(blocks, index, block)),
    )


def _of_window(blocks: Blocks, index: int, block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "window": blocks.duration("alert", index, block, "window"),
        "threshold": blocks.count("alert", index, block, "threshold"),
        "minimum_n": blocks.count("alert", index, block, "minimum_n"),
    }


def _of_handoff(blocks: Blocks, index: int, block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sla": blocks.one_of("alert", index, {"sla": "answer", **block}, "sla", SLAS),
        "from_team": block.get("from_team"),
        "to_team": block.get("to_team"),
        "held_for": _duration(blocks, index, block, "for") or timedelta(),
    }


def _duration(
    blocks: Blocks, index: int, block: Mapping[str, Any], key: str, default: timedelta | None = None
) -> timedelta | None:
    return blocks.duration("alert", index, block, key) if key in block else default


def _quiet_hours(blocks: Blocks, index: int, block: Mapping[str, Any], zone: str) -> QuietHours | None:
    if not (texts := blocks.texts("alert", index, block, "quiet_hours")):
        return None
    try:
        windows = read_windows(texts)
    except ValueError as error:
        raise blocks.fault("alert", index, str(error).replace("open = ", "quiet_hours = ")) from error
    if sum((w.closes_minute - w.opens_minute) * (w.last - w.first + 1) for w in windows) >= 7 * _DAY_MINUTES:
        raise blocks.fault("alert", index, "quiet_hours leave no time in which somebody may be notified")
    return QuietHours(zone, windows)
