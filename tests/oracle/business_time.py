"""Open time between two instants, counted by walking the windows of a calendar day by day.

It shares nothing with `projections.business_time`, which looks windows up by equality. Instants and spans are
microseconds.
"""

from __future__ import annotations

from streams.simulator.clock import DAY, Calendar


def open_time(calendar: Calendar, start: int, end: int) -> int:
    """Open microseconds from start to end; negative when end lies before start."""
    if end < start:
        return -open_time(calendar, end, start)
    total = 0
    for day in range(start // DAY - 1, end // DAY + 2):
        for opens, closes in calendar.opened(day):
            total += max(0, min(end, closes) - max(start, opens))
    return total
