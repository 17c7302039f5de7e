"""Who works when, by the playbook: calendars, teams and members, read straight from its file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.errors import BatonError, ExitCode
from streams.simulator.clock import Calendar


@dataclass(frozen=True)
class Rules:
    """The playbook, as far as a story needs it. Order is the order of the file."""

    calendars: Mapping[str, Calendar]
    team_calendars: Mapping[str, str]
    member_calendars: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]

    def team_calendar(self, team: str) -> Calendar:
        """The team's calendar; the first of the playbook for a team it does not name."""
        name = self.team_calendars.get(team)
        return self.calendars[name] if name else next(iter(self.calendars.values()))

    def calendar(self, owner: str | None, team: str) -> Calendar:
        """The owner's own calendar if the playbook lists the owner, else the team's."""
        name = self.member_calendars.get(owner) if owner else None
        return self.calendars[name] if name else self.team_calendar(team)


def default_playbook() -> Path:
    """The playbook that comes with Baton."""
    return Path(str(files("projections") / "playbook.toml"))


def read_rules(path: Path) -> Rules:
    """Read the playbook. What it lacks or misspells is a BatonError that names the file."""
    try:
        return _rules(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BatonError(
            "The playbook cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            next_command="baton playbook check",
            exit_code=ExitCode.CONFIGURATION,
        ) from error


def _rules(text: dict[str, Any]) -> Rules:
    members: dict[str, list[str]] = {row["id"]: [] for row in text["team"]}
    member_calendars: dict[str, str] = {}
    for row in text.get("member", []):
        members.setdefault(row["team"], []).extend(row["ids"])
        member_calendars.update((member, row["calendar"]) for member in row["ids"] if "calendar" in row)
    return Rules(
        calendars={
            row["id"]: Calendar(row["zone"], row["open"], row.get("holidays", ())) for row in text["calendar"]
        },
        team_calendars={row["id"]: row["calendar"] for row in text["team"]},
        member_calendars=member_calendars,
        members={team: tuple(ids) or (f"{team}-1",) for team, ids in members.items()},
    )
