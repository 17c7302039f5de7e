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
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from projections import (
    alert_examples,
    alert_rules,
    attributes,
    deal_stages,
    definition,
    dimensions,
    examples,
    goals,
)
from projections.alert_examples import AlertExample
from projections.alert_rules import AlertRule
from projections.attributes import Attribute
from projections.business_time import Calendar, read_windows
from projections.definition import Definition
from projections.dimensions import Dimensions
from projections.examples import Example
from projections.goals import Goals
from projections.playbook_blocks import Blocks, unusable
from schemas.catalogue import CATALOGUE

DEFAULT_PLAYBOOK = Path(__file__).parent / "playbook.toml"

_WINDOWS = ("day", "week", "month", "quarter", "year")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
KEYS = {
    "playbook": {"name", "window", "zone", "at_risk_share", "fiscal_year_begins", "week_begins"},
    "calendar": {"id", "zone", "open", "holidays"},
    "team": {"id", "side", "calendar"},
    "member": {"team", "calendar", "ids"},
    "stage": {"id", "entered_by", "after", "buyer"},
    "sla": {"id", "owed_by", "from_team", "to_team", "within", "clock", "attempts"},
    **alert_rules.KEYS,
    **alert_examples.KEYS,
    **attributes.KEYS,
    **examples.KEYS,
    **definition.KEYS,
    **goals.KEYS,
    **deal_stages.KEYS,
    **dimensions.KEYS,
}
# The events that lead_stage reads as entering a stage; the playbook orders and names the stages.
STAGE_EVENTS = (
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
class Playbook:
    """What both teams agreed on. `members` maps a person to (team, calendar); `stages` to (stage, event);
    `buyer_steps` a stage to the step of the buyer's journey. `text` is the file, as it stands.
    `fiscal_year_begins` is a month, 1 to 12; `week_begins` one of WEEKDAYS."""

    name: str
    version: str
    zone: str
    window: str
    fiscal_year_begins: int
    week_begins: str
    at_risk_share: float
    calendars: tuple[Calendar, ...]
    teams: tuple[Team, ...]
    members: Mapping[str, tuple[str, str]]
    stages: tuple[tuple[str, str], ...]
    slas: tuple[Sla, ...]
    alerts: tuple[AlertRule, ...]
    definition: Definition
    goals: Goals
    deal_stages: tuple[str, ...]
    buyer_steps: Mapping[str, str]
    attributes: tuple[Attribute, ...]
    dimensions: Dimensions
    examples: tuple[Example, ...]
    alert_examples: tuple[AlertExample, ...]
    text: str = field(repr=False, compare=False)

    @property
    def short_version(self) -> str:
        """The version as people read it."""
        return self.version[:12]


def read_playbook(path: Path = DEFAULT_PLAYBOOK) -> Playbook:
    """Read and check a playbook. Raises a BatonError with file, line, reason and remedy of every
    fault that can be found at once (exit 3)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unusable(str(path), 0, error.strerror or str(error)) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise unusable(str(path), line, f"not UTF-8: {error.reason}") from error
    return parse_playbook(text, str(path))


def parse_playbook(text: str, where: str = "playbook.toml") -> Playbook:
    """The same from text."""
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # endless nesting and digits have no error of their own
        found = re.search(r"at line (\d+)", str(error))
        at_end = "at end of document" in str(error)
        line = int(found[1]) if found else len(text.splitlines()) if at_end else 1
        raise unusable(where, line, f"not TOML: {error}") from error
    return _Reader(Blocks(text, where, content, KEYS)).playbook()


def canonical(content: Mapping[str, Any]) -> bytes:
    """The content of a playbook as its version and its signatures cover it: layout and comments left out."""
    return json.dumps(content, sort_keys=True, default=str, separators=(",", ":")).encode()


class _Reader:
    """Makes a Playbook out of the blocks of a file."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks = blocks

    def playbook(self) -> Playbook:
        blocks, where = self.blocks, self.blocks.where
        head = blocks.content.get("playbook")
        if not isinstance(head, dict):
            raise unusable(where, 1, "there is no [playbook] block with a name")
        said: Mapping[str, Any] = head
        blocks.part(lambda: blocks.check_keys("playbook", 0, said))
        head = {"fiscal_year_begins": 1, "week_begins": WEEKDAYS[0], **said}
        if not blocks.content.get("calendar"):
            raise unusable(where, 1, "there is no calendar: no [[calendar]] block with zone and open")
        names, team_names, part = blocks.ids("calendar"), blocks.ids("team"), blocks.part
        stages = part(self._stages) or []
        alerts = part(lambda: alert_rules.read_alerts(blocks, self._zones())) or ()
        found = Playbook(
            name=str(head.get("name", "playbook")),
            version=hashlib.sha256(canonical(blocks.content)).hexdigest(),
            zone=part(lambda: blocks.zone("playbook", 0, head.get("zone", "UTC"))),
            window=part(lambda: blocks.one_of("playbook", 0, head, "window", _WINDOWS)),
            fiscal_year_begins=part(lambda: blocks.count("playbook", 0, head, "fiscal_year_begins", 12)),
            week_begins=part(lambda: blocks.one_of("playbook", 0, head, "week_begins", WEEKDAYS)),
            at_risk_share=part(lambda: blocks.share("playbook", 0, head, "at_risk_share", 0.75)),
            calendars=tuple(blocks.each("calendar", self._calendar)),
            teams=tuple(blocks.each("team", lambda i, block: self._team(i, block, names))),
            members=part(lambda: dict(self._members(names, team_names))),
            stages=tuple((stage, event) for stage, event, _ in stages),
            slas=part(lambda: self._slas(team_names)),
            alerts=alerts,
            definition=part(lambda: definition.read_definition(blocks)),
            goals=part(lambda: goals.read_goals(blocks, team_names)),
            deal_stages=part(lambda: deal_stages.read_deal_stages(blocks)),
            buyer_steps={stage: buyer for stage, _, buyer in stages if buyer},
            attributes=part(lambda: attributes.read_attributes(blocks)),
            dimensions=part(lambda: dimensions.read_dimensions(blocks)),
            examples=part(lambda: examples.read_examples(blocks)),
            alert_examples=part(lambda: alert_examples.read_alert_examples(blocks, alerts)),
            text=blocks.text_of_file,
        )
        blocks.check()
        return found

    def _zones(self) -> dict[str, str]:
        """The zone that each team works in, UTC where that cannot be read."""
        zones = {c.get("id"): c.get("zone") for _, c in self.blocks.blocks("calendar")}
        teams = ((t.get("id"), zones.get(t.get("calendar"))) for _, t in self.blocks.blocks("team"))
        return {str(team): str(zone or "UTC") for team, zone in teams}

    def _calendar(self, index: int, block: Mapping[str, Any]) -> Calendar:
        zone = self.blocks.zone("calendar", index, self.blocks.text("calendar", index, block, "zone"))
        try:
            windows = read_windows(self.blocks.texts("calendar", index, block, "open"))
            holidays = frozenset(map(_day, self.blocks.values("calendar", index, block, "holidays")))
        except ValueError as error:
            raise self.blocks.fault("calendar", index, str(error)) from error
        return Calendar(self.blocks.text("calendar", index, block, "id"), zone, windows, holidays)

    def _team(self, index: int, block: Mapping[str, Any], calendars: set[str]) -> Team:
        calendar = self.blocks.text("team", index, block, "calendar")
        if calendar not in calendars:
            raise self.blocks.fault(
                "team", index, f"no calendar {calendar!r}; known: {', '.join(sorted(calendars))}"
            )
        side = self.blocks.one_of("team", index, block, "side", ("marketing", "sales"))
        return Team(self.blocks.text("team", index, block, "id"), side, calendar)

    def _members(self, calendars: set[str], teams: set[str]) -> Iterator[tuple[str, tuple[str, str]]]:
        seen: set[str] = set()
        for index, block in self.blocks.blocks("member"):
            team = self.blocks.text("member", index, block, "team")
            calendar = self.blocks.text("member", index, block, "calendar")
            if team not in teams:
                raise self.blocks.fault(
                    "member", index, f"no team {team!r}; known: {', '.join(sorted(teams))}"
                )
            if calendar not in calendars:
                known = ", ".join(sorted(calendars))
                raise self.blocks.fault("member", index, f"no calendar {calendar!r}; known: {known}")
            if "ids" not in block:
                raise self.blocks.fault("member", index, "ids is missing: ids = ['sdr-anna'] or the like")
            for person in self.blocks.texts("member", index, block, "ids"):
                if person in seen:
                    raise self.blocks.fault(
                        "member", index, f"{person!r} appears twice: one person, one calendar"
                    )
                seen.add(person)
                yield person, (team, calendar)

    def _stages(self) -> list[tuple[str, str, str | None]]:
        """(stage, event, step of the buyer's journey) in the order of the funnel."""
        fault = self.blocks.fault
        stages: dict[str, tuple[str, str, str | None]] = {}
        after: dict[str, tuple[int, str]] = {}
        for index, block in self.blocks.blocks("stage"):
            stage = self.blocks.text("stage", index, block, "id")
            event = self.blocks.text("stage", index, block, "entered_by")
            if event not in CATALOGUE.event_types:
                raise fault("stage", index, f"nothing enters {stage!r}: there is no event {event!r}")
            if event not in STAGE_EVENTS:
                raise fault("stage", index, f"{event} marks no stage; use one of {', '.join(STAGE_EVENTS)}")
            if stage in stages or event in (name for _, name, _ in stages.values()):
                raise fault("stage", index, f"stage {stage!r} or its event {event} appears twice")
            buyer = self.blocks.text("stage", index, block, "buyer") if "buyer" in block else None
            stages[stage] = (stage, event, buyer)
            if "after" in block:
                after[stage] = (index, self.blocks.text("stage", index, block, "after"))
        if len(stages) < 2:
            raise fault("stage", 0, "a funnel has at least two stages")
        return [stages[stage] for stage in self._in_order(list(stages), after)]

    def _in_order(self, stages: list[str], after: Mapping[str, tuple[int, str]]) -> list[str]:
        """Stages as `after` says, else as the file does. One way from the first to the last, or a fault."""
        followers: dict[str, str] = {}
        for stage, (index, before) in after.items():
            if before not in stages:
                raise self.blocks.fault("stage", index, f"after = {before!r}: there is no such stage")
            if before in followers:
                why = f"{stage!r} and {followers[before]!r} both come after {before!r}: a funnel has one way"
                raise self.blocks.fault("stage", index, why)
            followers[before] = stage
        ordered: list[str] = []
        for first in (stage for stage in stages if stage not in after):
            following: str | None = first
            while following is not None:
                ordered.append(following)
                following = followers.get(following)
        if stuck := [stage for stage in stages if stage not in ordered]:
            circle = " > ".join([*stuck, stuck[0]])
            raise self.blocks.fault(
                "stage", after[stuck[0]][0], f"these stages follow each other in a circle: {circle}"
            )
        return ordered

    def _slas(self, teams: set[str]) -> tuple[Sla, ...]:
        slas: list[Sla] = []

        def take(index: int, block: Mapping[str, Any]) -> Sla:
            sla = self._sla(index, block, teams)
            if any((s.id, s.from_team, s.to_team) == (sla.id, sla.from_team, sla.to_team) for s in slas):
                raise self.blocks.fault(
                    "sla", index, f"{sla.id} from {sla.from_team} to {sla.to_team} appears twice"
                )
            slas.append(sla)
            return sla

        return tuple(self.blocks.each("sla", take))

    def _sla(self, index: int, block: Mapping[str, Any], teams: set[str]) -> Sla:
        for side in ("from_team", "to_team"):
            if self.blocks.text("sla", index, block, side) not in teams:
                raise self.blocks.fault("sla", index, f"{side} = {block[side]!r} is no team of this playbook")
        attempts = block.get("attempts")
        is_count = isinstance(attempts, int) and not isinstance(attempts, bool) and 0 < attempts < 1_000
        sla_id = self.blocks.one_of("sla", index, block, "id", alert_rules.SLAS)
        if not is_count if sla_id == "attempts" else attempts is not None:
            raise self.blocks.fault(
                "sla", index, "attempts = N (at least 1) belongs to the SLA 'attempts', and only to it"
            )
        return Sla(
            id=sla_id,
            from_team=block["from_team"],
            to_team=block["to_team"],
            owed_by=self.blocks.one_of("sla", index, block, "owed_by", ("receiver", "sender")),
            clock=self.blocks.one_of("sla", index, block, "clock", ("business", "elapsed")),
            within=self.blocks.duration("sla", index, block, "within"),
            attempts=attempts,
        )


def _day(day: object) -> date:
    try:
        return date.fromisoformat(str(day))
    except ValueError as error:
        raise ValueError(f"holidays: {str(day)!r} is no day such as 2026-12-25") from error
