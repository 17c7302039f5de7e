"""What changes in calendars, teams and their members."""

from __future__ import annotations

from collections.abc import Iterator

from projections.business_time import Calendar
from projections.changes.sentences import EVERYBODY, Change, listed, pairs, team_name
from projections.playbook import Playbook, Team

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def calendars(old: Playbook, new: Playbook) -> Iterator[Change]:
    for before, after in pairs(old.calendars, new.calendars, lambda c: c.id):
        for team in _who_works_by(new if after else old, (after or before).id):  # type: ignore[union-attr]
            for says in _calendar_says(before, after):
                yield Change(team, "calendar", says)

    if old.calendars[0].id != new.calendars[0].id:
        says = f"Who is in no team works by the calendar {new.calendars[0].id}; before {old.calendars[0].id}."
        yield Change(EVERYBODY, "calendar", says)


def _who_works_by(playbook: Playbook, calendar: str) -> list[str]:
    """The teams some of whom work by it; everybody when nobody does."""
    named = {team.id for team in playbook.teams if team.calendar == calendar}
    named |= {team for team, own in playbook.members.values() if own == calendar}
    return [team.id for team in playbook.teams if team.id in named] or [EVERYBODY]


def _calendar_says(before: Calendar | None, after: Calendar | None) -> Iterator[str]:
    if before is None or after is None:
        if after is not None:
            yield f"There is a new calendar {after.id}: {_hours(after)}, {after.zone}."
        elif before is not None:
            yield f"The calendar {before.id} is gone."
        return
    if before.zone != after.zone:
        yield f"The calendar {after.id} is in the zone {after.zone}; before {before.zone}."
    if before.windows != after.windows:
        yield f"The calendar {after.id} is open {_hours(after)}; before {_hours(before)}."
    if added := sorted(after.holidays - before.holidays):
        yield f"The calendar {after.id} is closed on {listed(map(str, added))} too."
    if gone := sorted(before.holidays - after.holidays):
        yield f"The calendar {after.id} is no longer closed on {listed(map(str, gone))}."


def _hours(calendar: Calendar) -> str:
    return listed(
        f"{_DAYS[w.first]}{'' if w.first == w.last else '-' + _DAYS[w.last]}"
        f" {w.opens:%H:%M}-{w.closes.strftime('%H:%M') if w.closes else '24:00'}"
        for w in calendar.windows
    )


def teams(old: Playbook, new: Playbook) -> Iterator[Change]:
    def row(before: Team | None, after: Team | None) -> Iterator[str]:
        if before is None and after is not None:
            yield f"{team_name(after.id)} is a new team of {after.side}, working by {after.calendar}."
        elif after is None and before is not None:
            yield f"{team_name(before.id)} is no longer a team."
        elif before is not None and after is not None:
            if before.side != after.side:
                yield f"{team_name(after.id)} is on the {after.side} side; before {before.side}."
            if before.calendar != after.calendar:
                calendars = f"{after.calendar}; before {before.calendar}"
                yield f"{team_name(after.id)} works by the calendar {calendars}."

    for before, after in pairs(old.teams, new.teams, lambda team: team.id):
        team = (after or before).id  # type: ignore[union-attr]
        yield from (Change(team, "team", says) for says in row(before, after))


def members(old: Playbook, new: Playbook) -> Iterator[Change]:
    for person in sorted(old.members.keys() | new.members.keys()):
        before, after = old.members.get(person), new.members.get(person)
        if before == after:
            continue
        if after is None and before is not None:
            yield Change(
                before[0], "member", f"{person} is no longer listed and works by the team's calendar."
            )
        elif before is None and after is not None:
            yield Change(after[0], "member", f"{person} is listed and works by the calendar {after[1]}.")
        elif before is not None and after is not None:
            if before[0] != after[0]:
                moved = f"{person} moves from {team_name(before[0])} to {team_name(after[0])}."
                yield Change(after[0], "member", moved)
            if before[1] != after[1]:
                works = f"{person} works by the calendar {after[1]}; before {before[1]}."
                yield Change(after[0], "member", works)
