"""Periods by name, such as 2026 and 2026-Q1, and the days they hold."""

from __future__ import annotations

from datetime import date, timedelta


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


def first_and_last(unit: str, day: date, week_begins: str = "monday") -> tuple[date, date]:
    """The first and the last day of the day, week, month, quarter or year that holds a day."""
    if unit == "day":
        return day, day
    if unit == "week":
        first = day
        while f"{first:%A}".lower() != week_begins:
            first -= timedelta(days=1)
        return first, first + timedelta(days=6)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    after = first.year * 12 + first.month - 1 + months
    return first, date(after // 12, after % 12 + 1, 1) - timedelta(days=1)
