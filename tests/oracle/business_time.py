"""Open time between two instants, counted by walking the open windows of a calendar one by one.

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
    while start < end:  # the windows are known for ten years on
        stretch = min(end, start + 3000 * DAY)
        for opens, closes in calendar.windows_from(start):
            if opens >= stretch:
                break
            total += min(stretch, closes) - opens
        start = stretch
    return total
