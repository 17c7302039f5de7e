"""Periods by name, such as 2026 and 2026-Q1, and the days they hold."""

from __future__ import annotations

from datetime import date


def quarter_of(day: date, later: int = 0) -> str:
    """The quarter that holds a day, or the one that is `later` quarters after it."""
    number = day.year * 4 + (day.month - 1) // 3 + later
    return f"{number // 4}-Q{number % 4 + 1}"


def first_day(period: str) -> date:
    """The day on which a year or quarter begins."""
    year, _, quarter = period.partition("-Q")
    return date(int(year), int(quarter) * 3 - 2 if quarter else 1, 1)


def day_after(period: str) -> date:
    """The first day after a year or quarter."""
    first = first_day(period)
    return first_day(quarter_of(first, 1)) if "-Q" in period else date(first.year + 1, 1, 1)
