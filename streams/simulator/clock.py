"""Business time of the simulator: who works when, and when a given amount of open time has passed.

It walks the open windows day by day and shares nothing with `projections.business_time`, so that tests can
compare the two. Instants are microseconds since 1970-01-01T00:00Z; windows are local wall times: it is open
while the wall clock shows one, so what a change of the clock skips is no time, and what is shown twice counts
twice.
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
            local = datetime.fromordinal(day + EPOCH_ORDINAL)
            found = self._midnights[day] = microseconds_of(local.replace(tzinfo=self.zone))
        return found

    def shown(self, begin: int, end: int) -> Windows:
        """The instants at which the wall clock shows a time from begin until end, which are microseconds of
        the wall clock no more than two days apart. Two spans, or none, where the clock is changed."""
        since, until = begin - DAY, end + DAY  # no zone is a day away from UTC
        before, after = self._offset(since), self._offset(until)
        if before == after:
            return ((begin - before, end - before),)
        while until - since > SECOND:
            middle = (since + until) // 2 // SECOND * SECOND
            since, until = (middle, until) if self._offset(middle) == before else (since, middle)
        parts = (begin - before, min(end - before, until)), (max(begin - after, until), end - after)
        return tuple((first, last) for first, last in parts if first < last)

    def _offset(self, instant: int) -> int:
        since = datetime_of(instant).astimezone(self.zone).utcoffset()
        return 0 if since is None else since // timedelta(microseconds=1)


class Calendar:
    """Zone, open windows and holidays of a team or a member.

    Windows read like "Mon-Fri 09:00-18:00"; 24:00 is allowed, and windows that overlap count once. A shift
    such as "Mon-Fri 22:00-06:00" belongs to the day on which it begins, in the week and among the holidays.
    """

    def __init__(self, zone: str, windows: Iterable[str], holidays: Iterable[str] = ()) -> None:
        self.local = LocalTime(zone)
        self._week: tuple[list[tuple[int, int]], ...] = tuple([] for _ in WEEKDAYS)
        for window in windows:
            days, _, hours = window.partition(" ")
            for weekday in _weekdays(days):
                self._week[weekday].append(_hours(hours))
        self._holidays = {date.fromisoformat(text).toordinal() - EPOCH_ORDINAL for text in holidays}
        self._begun: dict[int, Windows] = {}

    def _of_day(self, day: int) -> Windows:
        """What of the windows that begin on local day `day` is open, in any order; none on a holiday."""
        found = self._begun.get(day)
        if found is None:
            hours = [] if day in self._holidays else self._week[(day + 3) % 7]  # 1970-01-01 was a Thursday
            found = self._begun[day] = tuple(
                part
                for begin, end in hours
                for part in self.local.shown(day * DAY + begin * MINUTE, day * DAY + end * MINUTE)
            )
        return found

    def windows_from(self, instant: int) -> Iterator[tuple[int, int]]:
        """Open windows that end after `instant`, in order and without overlaps, for ten years."""
        # A local date is at most one day away from the date in UTC, and a shift may have begun a day before.
        first = instant // DAY - 3
        waiting: list[tuple[int, int]] = []
        until = instant
        for day in range(first, first + SEARCHED_DAYS):
            waiting = sorted([*waiting, *self._of_day(day)])
            # What begins before this day in UTC: no later local day has a window that begins so early.
            while waiting and waiting[0][0] < day * DAY:
                begin, end = waiting.pop(0)
                if end > until:
                    yield max(begin, until), end
                    until = end

    def after(self, start: int, allowed: int) -> int:
        """The earliest instant at which the open time since start reaches `allowed` microseconds."""
        left = allowed
        if left <= 0:
            return start
        for begin, end in self.windows_from(start):
            if end - begin >= left:
                return begin + left
            left -= end - begin
        raise BatonError(
            "A calendar has too little open time",
            where=str(self.local.zone),
            why=f"{minutes(allowed):.0f} open minutes after {iso(start)} do not pass within ten years",
            next_command="baton playbook check   (and give the calendar open windows)",
            exit_code=ExitCode.CONFIGURATION,
        )


def _weekdays(text: str) -> list[int]:
    """Mon-Fri is 0 to 4; Sat-Mon runs over the end of the week."""
    first, _, last = text.partition("-")
    begin = WEEKDAYS.index(first)
    days = (WEEKDAYS.index(last or first) - begin) % 7 + 1
    return [(begin + day) % 7 for day in range(days)]


def _hours(text: str) -> tuple[int, int]:
    """Minutes of the day on which it begins; a shift over midnight ends after more than 24 hours."""
    begin, _, end = text.partition("-")
    opens, closes = _minute_of_day(begin), _minute_of_day(end)
    return opens, closes if closes >= opens else closes + 24 * 60


def _minute_of_day(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
