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
    """Open on weekdays first..last (0 = Monday) from opens to closes, local time; 24:00 is closes = None."""

    first: int
    last: int
    opens: time
    closes: time | None


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
