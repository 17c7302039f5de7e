"""Business time of the simulator: who is at work when, and when so much open time has passed.

It walks the open windows day by day and shares nothing with `projections.business_time`, so that tests can
compare the two. Instants are microseconds since 1970-01-01T00:00Z; windows are local wall times, resolved
with fold=0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.errors import BatonError, ExitCode

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# The period ends while people work, so that some clocks are running.
LAST_DAY = 14 * HOUR

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SEARCHED_DAYS = 3660

Windows = tuple[tuple[int, int], ...]


def minutes(microseconds: int) -> float:
    """Microseconds as minutes: one IEEE division, never rounded."""
    return microseconds / 60000000.0


def microseconds_of(when: datetime) -> int:
    """An aware datetime in microseconds, without passing through a float."""
    since = when - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def datetime_of(instant: int) -> datetime:
    """Microseconds as a datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant)


def iso(instant: int) -> str:
    """2026-03-02T09:00:00.000000Z."""
    day, rest = divmod(instant, DAY)
    minute, rest = divmod(rest, MINUTE)
    second, micro = divmod(rest, SECOND)
    return f"{_days.get(day) or iso_day(day)}{_MINUTES[minute]}{second:02d}.{micro:06d}Z"


_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_days: dict[int, str] = {}


def iso_day(day: int) -> str:
    """Day number since 1970-01-01 as YYYY-MM-DD."""
    text = _days.get(day)
    if text is None:
        text = _days[day] = date.fromordinal(day + EPOCH_ORDINAL).isoformat()
    return text


class LocalTime:
    """Midnights of one time zone, each looked up once."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._midnights: dict[int, int] = {}

    def midnight(self, day: int) -> int:
        """The instant at which local day `day` (since 1970-01-01) begins."""
        found = self._midnights.get(day)
        if found is None:
            found = self._midnights[day] = self.wall(day, 0)
        return found

    def wall(self, day: int, minute: int) -> int:
        """The instant at which the wall clock shows `minute` (0 to 1440) of local day `day`."""
        local = datetime.fromordinal(day + EPOCH_ORDINAL) + timedelta(minutes=minute)
        return microseconds_of(local.replace(tzinfo=self.zone))


class Calendar:
    """Zone, open windows and holidays of a team or a member.

    Windows read like "Mon-Fri 09:00-18:00"; 24:00 is allowed, and windows that overlap count once.
    """

    def __init__(self, zone: str, windows: Iterable[str], holidays: Iterable[str] = ()) -> None:
        self.local = LocalTime(zone)
        self._week: tuple[list[tuple[int, int]], ...] = tuple([] for _ in WEEKDAYS)
        for window in windows:
            days, _, hours = window.partition(" ")
            for weekday in _weekdays(days):
                self._week[weekday].append(_hours(hours))
        for opened in self._week:
            opened.sort()
        self._holidays = {date.fromisoformat(text).toordinal() - EPOCH_ORDINAL for text in holidays}
        self._open: dict[int, Windows] = {}

    def opened(self, day: int) -> Windows:
        """Open windows of local day `day`, as instants in order; none on a holiday."""
        found = self._open.get(day)
        if found is None:
            hours = [] if day in self._holidays else self._week[(day + 3) % 7]  # 1970-01-01 was a Thursday
            found = _joined((self.local.wall(day, a), self.local.wall(day, b)) for a, b in hours)
            self._open[day] = found
        return found

    def windows_from(self, instant: int) -> Iterator[tuple[int, int]]:
        """Open windows that end after `instant`, in order, for ten years."""
        first = instant // DAY - 1  # a local date is at most one day away from the date in UTC
        for day in range(first, first + SEARCHED_DAYS):
            for begin, end in self.opened(day):
                if end > instant:
                    yield begin, end

    def after(self, start: int, allowed: int) -> int:
        """The earliest instant at which the open time since start reaches `allowed` microseconds."""
        left = allowed
        if left <= 0:
            return start
        for begin, end in self.windows_from(start):
            begin = max(begin, start)
            if end - begin >= left:
                return begin + left
            left -= end - begin
        raise BatonError(
            "A calendar has too little open time",
            where=str(self.local.zone),
            why=f"{minutes(allowed):.0f} open minutes after {iso(start)} do not pass within ten years",
            next_command="give the calendar open windows in the playbook",
            exit_code=ExitCode.CONFIGURATION,
        )


def _joined(windows: Iterable[tuple[int, int]]) -> Windows:
    """Windows in order of their begin, with overlaps joined and those that DST skips left out."""
    joined: list[tuple[int, int]] = []
    for begin, end in windows:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif begin < end:
            joined.append((begin, end))
    return tuple(joined)


def _weekdays(text: str) -> list[int]:
    """Mon-Fri is 0 to 4; Sat-Mon runs over the end of the week."""
    first, _, last = text.partition("-")
    begin = WEEKDAYS.index(first)
    days = (WEEKDAYS.index(last or first) - begin) % 7 + 1
    return [(begin + day) % 7 for day in range(days)]


def _hours(text: str) -> tuple[int, int]:
    begin, _, end = text.partition("-")
    return _minute_of_day(begin), _minute_of_day(end)


def _minute_of_day(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
