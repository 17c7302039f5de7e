"""The playbook: one TOML file, read, checked and handed on as tables.

Errors point at the line of the block they are about. The version of a playbook is the SHA-256 of
its canonical content (comments and layout do not count), shortened to twelve hex digits where
people read it.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from projections.business_time import Calendar, read_windows
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode

DEFAULT_PLAYBOOK = Path(__file__).parent / "playbook.toml"

_UNITS = {"minute": 1, "hour": 60, "day": 24 * 60}
_WINDOWS = ("day", "week", "month", "quarter", "year")
_SLAS = ("answer", "first_attempt", "attempts", "acknowledge_return")
_ALERT_KINDS = ("overdue_in_window",)
# Every block and what may be said in it: a misspelt key must not pass for one that was left out.
_KEYS = {
    "playbook": {"name", "window", "zone", "at_risk_share"},
    "calendar": {"id", "zone", "open", "holidays"},
    "team": {"id", "side", "calendar"},
    "member": {"team", "calendar", "ids"},
    "stage": {"id", "entered_by"},
    "sla": {"id", "owed_by", "from_team", "to_team", "within", "clock", "attempts"},
    "alert": {"id", "kind", "window", "threshold", "minimum_n", "severity", "owner"},
}
_LONGEST = timedelta(days=3650)
# The stages funnel_stage can tell from the lead's state; the playbook orders and names them.
_STAGE_EVENTS = (
    "LeadCaptured",
    "TouchRecorded",
    "HandoffOffered",
    "HandoffAccepted",
    "BuyerReached",
    "OpportunityOpened",
    "OpportunityWon",
)


@dataclass(frozen=True)
class Team:
    """A team, the side it is on, and the calendar it works by."""

    id: str
    side: str
    calendar: str


@dataclass(frozen=True)
class Sla:
    """What one side owes the other on a handoff between two teams. `within` is open or wall-clock time."""

    id: str
    from_team: str
    to_team: str
    owed_by: str
    clock: str
    within: timedelta
    attempts: int | None = None


@dataclass(frozen=True)
class AlertRule:
    """When a windowed count of overdue answers of a pair of teams becomes an alert."""

    id: str
    kind: str
    window: timedelta
    threshold: int
    minimum_n: int
    severity: str
    owner: str


@dataclass(frozen=True)
class Playbook:
    """What both teams agreed on. `members` maps a person to (team, calendar); `stages` to (stage, event)."""

    name: str
    version: str
    zone: str
    window: str
    at_risk_share: float
    calendars: tuple[Calendar, ...]
    teams: tuple[Team, ...]
    members: Mapping[str, tuple[str, str]]
    stages: tuple[tuple[str, str], ...]
    slas: tuple[Sla, ...]
    alerts: tuple[AlertRule, ...]

    @property
    def short_version(self) -> str:
        """The version as people read it."""
        return self.version[:12]


def read_playbook(path: Path = DEFAULT_PLAYBOOK) -> Playbook:
    """Read and check a playbook. Every fault is a BatonError with file, line, reason and remedy (exit 3)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _fault(str(path), error.strerror or str(error), "baton playbook check FILE") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _fault(f"{path}:{line}", f"not UTF-8: {error.reason}", f"save {path} as UTF-8") from error
    return parse_playbook(text, str(path))


def parse_playbook(text: str, where: str = "playbook.toml") -> Playbook:
    """The same from text."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # endless nesting and digits have no error of their own
        found = re.search(r"at line (\d+)", str(error))
        at_end = "at end of document" in str(error)
        line = int(found[1]) if found else len(text.splitlines()) if at_end else 1
        raise _fault(f"{where}:{line}", f"not TOML: {error}", _remedy(where)) from error
    return _Reader(text, where, content).playbook()


class _Reader:
    """Walks the blocks of a playbook and knows the line each one stands on."""

    def __init__(self, text: str, where: str, content: Mapping[str, Any]) -> None:
        self.lines = text.splitlines()
        self.where = where
        self.content = content

    def playbook(self) -> Playbook:
        for name in self.content:
            if name not in _KEYS:
                raise self.fault(name, 0, f"unknown block {name!r}; known: {', '.join(sorted(_KEYS))}")
        head = self.content.get("playbook")
        if not isinstance(head, dict):
            raise _fault(f"{self.where}:1", "there is no [playbook] block", "add [playbook] with a name")
        self._check_keys("playbook", 0, head)
        calendars = tuple(self._calendar(i, block) for i, block in self.blocks("calendar"))
        if not calendars:
            raise _fault(f"{self.where}:1", "there is no calendar", "add a [[calendar]] with zone and open")
        names = {calendar.id for calendar in calendars}
        teams = tuple(self._team(i, block, names) for i, block in self.blocks("team"))
        team_names = {team.id for team in teams}
        canonical = json.dumps(self.content, sort_keys=True, default=str)
        return Playbook(
            name=str(head.get("name", "playbook")),
            version=hashlib.sha256(canonical.encode()).hexdigest(),
            zone=self._zone("playbook", 0, head.get("zone", "UTC")),
            window=self._one_of("playbook", 0, head, "window", _WINDOWS),
            at_risk_share=self._share(head),
            calendars=calendars,
            teams=teams,
            members=dict(self._members(names, team_names)),
            stages=self._stages(),
            slas=self._slas(team_names),
            alerts=tuple(self._alert(i, block) for i, block in self.blocks("alert")),
        )

    def blocks(self, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
        found = self.content.get(name, [])
        if not isinstance(found, list):
            raise self.fault(name, 0, f"write it as [[{name}]], one block each")
        seen: set[str] = set()
        for index, block in enumerate(found):
            if not isinstance(block, dict):
                raise self.fault(name, index, f"write it as [[{name}]], one block each")
            self._check_keys(name, index, block)
            if name in ("calendar", "team", "alert"):
                own = self._text(name, index, block, "id")
                if own in seen:
                    raise self.fault(name, index, f"{own!r} stands twice")
                seen.add(own)
            yield index, block

    def _check_keys(self, name: str, index: int, block: Mapping[str, Any]) -> None:
        for key in block:
            if key not in _KEYS[name]:
                known = ", ".join(sorted(_KEYS[name]))
                raise self.fault(name, index, f"there is no {key!r} in this block; known: {known}")

    def _calendar(self, index: int, block: Mapping[str, Any]) -> Calendar:
        zone = self._zone("calendar", index, self._text("calendar", index, block, "zone"))
        try:
            windows = read_windows(self._texts("calendar", index, block, "open"))
            holidays = frozenset(map(_day, self._list("calendar", index, block, "holidays")))
        except ValueError as error:
            raise self.fault("calendar", index, str(error)) from error
        return Calendar(self._text("calendar", index, block, "id"), zone, windows, holidays)

    def _team(self, index: int, block: Mapping[str, Any], calendars: set[str]) -> Team:
        calendar = self._text("team", index, block, "calendar")
        if calendar not in calendars:
            raise self.fault(
                "team", index, f"no calendar {calendar!r}; known: {', '.join(sorted(calendars))}"
            )
        side = self._one_of("team", index, block, "side", ("marketing", "sales"))
        return Team(self._text("team", index, block, "id"), side, calendar)

    def _members(self, calendars: set[str], teams: set[str]) -> Iterator[tuple[str, tuple[str, str]]]:
        seen: set[str] = set()
        for index, block in self.blocks("member"):
            team = self._text("member", index, block, "team")
            calendar = self._text("member", index, block, "calendar")
            if team not in teams:
                raise self.fault("member", index, f"no team {team!r}; known: {', '.join(sorted(teams))}")
            if calendar not in calendars:
                known = ", ".join(sorted(calendars))
                raise self.fault("member", index, f"no calendar {calendar!r}; known: {known}")
            if "ids" not in block:
                raise self.fault("member", index, "ids is missing: ids = ['sdr-anna'] or the like")
            for person in self._texts("member", index, block, "ids"):
                if person in seen:
                    raise self.fault("member", index, f"{person!r} stands twice: one person, one calendar")
                seen.add(person)
                yield person, (team, calendar)

    def _stages(self) -> tuple[tuple[str, str], ...]:
        stages: list[tuple[str, str]] = []
        for index, block in self.blocks("stage"):
            stage = self._text("stage", index, block, "id")
            event = self._text("stage", index, block, "entered_by")
            if event not in CATALOGUE.event_types:
                raise self.fault("stage", index, f"nothing enters {stage!r}: there is no event {event!r}")
            if event not in _STAGE_EVENTS:
                raise self.fault(
                    "stage", index, f"{event} marks no stage; use one of {', '.join(_STAGE_EVENTS)}"
                )
            if stage in (name for name, _ in stages) or event in (name for _, name in stages):
                raise self.fault("stage", index, f"stage {stage!r} or its event {event} stands twice")
            stages.append((stage, event))
        if len(stages) < 2:
            raise self.fault("stage", 0, "a funnel has at least two stages")
        return tuple(stages)

    def _slas(self, teams: set[str]) -> tuple[Sla, ...]:
        slas: list[Sla] = []
        for index, block in self.blocks("sla"):
            sla = self._sla(index, block, teams)
            if any((s.id, s.from_team, s.to_team) == (sla.id, sla.from_team, sla.to_team) for s in slas):
                raise self.fault("sla", index, f"{sla.id} from {sla.from_team} to {sla.to_team} stands twice")
            slas.append(sla)
        return tuple(slas)

    def _sla(self, index: int, block: Mapping[str, Any], teams: set[str]) -> Sla:
        for side in ("from_team", "to_team"):
            if self._text("sla", index, block, side) not in teams:
                raise self.fault("sla", index, f"{side} = {block[side]!r} is no team of this playbook")
        attempts = block.get("attempts")
        is_count = isinstance(attempts, int) and not isinstance(attempts, bool) and attempts > 0
        sla_id = self._one_of("sla", index, block, "id", _SLAS)
        if not is_count if sla_id == "attempts" else attempts is not None:
            raise self.fault(
                "sla", index, "attempts = N (at least 1) belongs to the SLA 'attempts', and only to it"
            )
        return Sla(
            id=sla_id,
            from_team=block["from_team"],
            to_team=block["to_team"],
            owed_by=self._one_of("sla", index, block, "owed_by", ("receiver", "sender")),
            clock=self._one_of("sla", index, block, "clock", ("business", "elapsed")),
            within=self._duration("sla", index, block, "within"),
            attempts=attempts,
        )

    def _alert(self, index: int, block: Mapping[str, Any]) -> AlertRule:
        return AlertRule(
            id=self._text("alert", index, block, "id"),
            kind=self._one_of("alert", index, block, "kind", _ALERT_KINDS),
            window=self._duration("alert", index, block, "window"),
            threshold=self._count("alert", index, block, "threshold"),
            minimum_n=self._count("alert", index, block, "minimum_n"),
            severity=self._one_of("alert", index, block, "severity", ("info", "warning", "critical")),
            owner=self._text("alert", index, block, "owner"),
        )

    def _text(self, name: str, index: int, block: Mapping[str, Any], key: str) -> str:
        value = block.get(key)
        if not isinstance(value, str) or not value:
            raise self.fault(name, index, f"{key} is missing or not a text")
        return value

    def _list(self, name: str, index: int, block: Mapping[str, Any], key: str) -> list[Any]:
        value = block.get(key, [])
        if not isinstance(value, list):
            raise self.fault(name, index, f"{key} = {value!r}; it is a list, in square brackets")
        return value

    def _texts(self, name: str, index: int, block: Mapping[str, Any], key: str) -> list[str]:
        values = self._list(name, index, block, key)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.fault(name, index, f"{key} holds {value!r}, which is not a text")
        return values

    def _count(self, name: str, index: int, block: Mapping[str, Any], key: str) -> int:
        value = block.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.fault(name, index, f"{key} must be a whole number of at least 1")
        return value

    def _one_of(
        self, name: str, index: int, block: Mapping[str, Any], key: str, choices: tuple[str, ...]
    ) -> str:
        value = block.get(key)
        if value not in choices:
            raise self.fault(name, index, f"{key} = {value!r}; it is one of {', '.join(choices)}")
        return str(value)

    def _zone(self, name: str, index: int, zone: str) -> str:
        try:
            return ZoneInfo(zone).key
        # A folder of the zone database, such as Europe, is an OSError.
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
            raise self.fault(name, index, f"{zone!r} is no time zone, such as Europe/Berlin") from error

    def _share(self, head: Mapping[str, Any]) -> float:
        share = head.get("at_risk_share", 0.75)
        if not isinstance(share, float) or not 0 < share < 1:
            raise self.fault("playbook", 0, f"at_risk_share = {share!r}; it is a share between 0 and 1")
        return share

    def _duration(self, name: str, index: int, block: Mapping[str, Any], key: str) -> timedelta:
        text = self._text(name, index, block, key)
        parsed = re.fullmatch(r"([0-9]{1,9}) (minute|hour|day)s?", text.strip())
        if parsed is None or int(parsed[1]) == 0:
            raise self.fault(
                name,
                index,
                f"{key} = {text!r}; say it in one unit, such as '90 minutes', '2 hours' or '14 days'",
            )
        if parsed[2] == "day" and block.get("clock") == "business":
            raise self.fault(
                name,
                index,
                f"{key} = {text!r} with clock = 'business': a business day has no fixed length, say hours",
            )
        minutes = int(parsed[1]) * _UNITS[parsed[2]]
        if minutes > _LONGEST // timedelta(minutes=1):
            raise self.fault(name, index, f"{key} = {text!r}; the longest is {_LONGEST.days} days")
        return timedelta(minutes=minutes)

    def fault(self, name: str, index: int, why: str) -> BatonError:
        own = rf"[\"']?{re.escape(name)}[\"']?\s*"
        line = 1
        for head in (rf"\s*\[\[?\s*{own}[].]", rf"\s*{own}[=.]"):  # a block, else a value in its stead
            lines = [number for number, text in enumerate(self.lines, 1) if re.match(head, text)]
            if lines:
                line = lines[min(index, len(lines) - 1)]
                break
        return _fault(f"{self.where}:{line}", f"[{name}] {why}", _remedy(self.where))


def _day(day: object) -> date:
    try:
        return date.fromisoformat(str(day))
    except ValueError as error:
        raise ValueError(f"holidays: {str(day)!r} is no day such as 2026-12-25") from error


def _remedy(where: str) -> str:
    return f"mend {where}, then: baton playbook check {where}"


def _fault(where: str, why: str, next_command: str) -> BatonError:
    return BatonError(
        "The playbook cannot be used",
        where=where,
        why=why,
        next_command=next_command,
        exit_code=ExitCode.CONFIGURATION,
    )
