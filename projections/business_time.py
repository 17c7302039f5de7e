"""Business time: the open intervals of a calendar, in UTC, with a running total of open time.

Open minutes between two instants are then a difference of two look-ups, exact across DST, weekends
and holidays: open_until(t) = total before the interval that t is in or after + the part of it that has
passed. `SQL_FUNCTIONS` says the same to DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pyarrow as pa

FIRST_YEAR, LAST_YEAR = 2000, 2100

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(
    r"(?P<first>Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:-(?P<last>Mon|Tue|Wed|Thu|Fri|Sat|Sun))? "
    r"(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)"
)

SQL_FUNCTIONS = (
    """
    create or replace macro open_us_until(open_us_before, opens_at, closes_at, instant) as
        open_us_before + epoch_us(instant) - epoch_us(opens_at)
        - greatest(epoch_us(instant) - epoch_us(closes_at), 0)
    """,
)

OPEN_TIME_COLUMNS = pa.schema(
    [
        ("calendar", pa.string()),
        ("opens_at", pa.timestamp("us", "UTC")),
        ("closes_at", pa.timestamp("us", "UTC")),
        ("open_us_before", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Window:
    """Open on weekdays first..last (0 = Monday) from opens to closes, local time; 24:00 is closes = None."""

    first: int
    last: int
    opens: time
    closes: time | None

    def covers(self, weekday: int) -> bool:
        return (weekday - self.first) % 7 <= (self.last - self.first) % 7


@dataclass(frozen=True)
class Calendar:
    """When somebody works: windows of local time in a zone, closed on holidays (local dates)."""

    id: str
    zone: str
    windows: tuple[Window, ...]
    holidays: frozenset[date]


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """Windows out of texts like 'Mon-Fri 09:00-18:00'. ValueError says which text and why."""
    windows = []
    for text in texts:
        parsed = _WINDOW.fullmatch(text)
        if parsed is None:
            raise ValueError(f"open = {text!r}; write it like 'Mon-Fri 09:00-18:00'")
        opens = _clock(text, parsed["opens"])
        closes = None if parsed["closes"] == "24:00" else _clock(text, parsed["closes"])
        if closes is not None and closes <= opens:
            raise ValueError(f"open = {text!r} closes before it opens; write nights as two windows")
        first = _DAYS.index(parsed["first"])
        last = _DAYS.index(parsed["last"]) if parsed["last"] else first
        windows.append(Window(first, last, opens, closes))
    if not windows:
        raise ValueError("a calendar needs open = ['Mon-Fri 09:00-18:00'] or the like")
    return tuple(windows)


def _clock(text: str, clock: str) -> time:
    try:
        return time.fromisoformat(clock)
    except ValueError as error:
        raise ValueError(f"open = {text!r}: {clock} is no time of day") from error


@lru_cache(maxsize=64)
def open_time(calendar: Calendar) -> pa.Table:
    """All open intervals of 2000 to 2100, oldest first, with the open microseconds before each.

    Windows that touch or overlap are one interval, so that no minute counts twice. An interval of
    length nought at the very start makes every instant of the contract's range have a predecessor.
    """
    start = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    opens, closes, before = [start], [start], [0]
    total = 0
    for opened, closed in _merged(_intervals(calendar)):
        opens.append(opened)
        closes.append(closed)
        before.append(total)
        total += (closed - opened) // timedelta(microseconds=1)
    columns = [[calendar.id] * len(opens), opens, closes, before]
    return pa.table(columns, schema=OPEN_TIME_COLUMNS)


def _intervals(calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
    zone = ZoneInfo(calendar.zone)
    day, end = date(FIRST_YEAR, 1, 2), date(LAST_YEAR, 1, 1)
    one_day = timedelta(days=1)
    while day < end:
        if day not in calendar.holidays:
            weekday = day.weekday()
            for window in calendar.windows:
                if window.covers(weekday):
                    closes_on, closes = (day, window.closes) if window.closes else (day + one_day, time.min)
                    opened = datetime.combine(day, window.opens, zone).astimezone(UTC)
                    closed = datetime.combine(closes_on, closes, zone).astimezone(UTC)
                    # Wall times that DST skips are read an hour later (fold=0), so the window 02:00-03:00
                    # is no time at all that day, and one that ends within 03:00-04:00 may be backwards.
                    if opened < closed:
                        yield opened, closed
        day += one_day


def _merged(intervals: Iterator[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    current: tuple[datetime, datetime] | None = None
    for opened, closed in sorted(intervals):
        if current is None:
            current = (opened, closed)
        elif opened <= current[1]:
            current = (current[0], max(current[1], closed))
        else:
            yield current
            current = (opened, closed)
    if current is not None:
        yield current
