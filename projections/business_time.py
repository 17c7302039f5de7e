"""Business time: when a calendar is open. `open_time` makes tables of it, to count with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(
    r"(?P<first>Mon|Tue|Wed|Thu|Fri|Sat|Sun)(?:-(?P<last>Mon|Tue|Wed|Thu|Fri|Sat|Sun))? "
    r"(?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)"
)


@dataclass(frozen=True)
class Window:
    """Open on weekdays first..last (0 = Monday) from opens to closes, local time; 24:00 is closes = None.

    One that closes before it opens is a shift over midnight. It belongs to the day on which it begins: that
    is the day which must be a weekday of the window, and no holiday.
    """

    first: int
    last: int
    opens: time
    closes: time | None

    @property
    def opens_minute(self) -> int:
        """Minutes from the midnight that begins the day to the opening."""
        return self.opens.hour * 60 + self.opens.minute

    @property
    def closes_minute(self) -> int:
        """Minutes from the same midnight to the closing: more than 24 hours for a shift over midnight."""
        closes = self.closes.hour * 60 + self.closes.minute if self.closes else 24 * 60
        return closes if closes > self.opens_minute else closes + 24 * 60


@dataclass(frozen=True)
class Calendar:
    """When somebody works: windows of local time in a zone; none begins on a holiday (a local date)."""

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
        if closes == opens:
            raise ValueError(f"open = {text!r} closes when it opens; a whole day is 00:00-24:00")
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
