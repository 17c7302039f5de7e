"""The windows of the funnel's views: those of the playbook, and those of any unit."""

from __future__ import annotations

from datetime import date, timedelta

from tests.oracle.playbook import Playbook

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = ("day", "week", "month", "quarter", "fiscal_quarter", "year", "all")


def window_start(playbook: Playbook, instant: int) -> str:
    """First day of the window that holds the instant, in the playbook's zone and unit."""
    return str(first_day(playbook, playbook.text["playbook"]["window"], playbook.day_of(instant)))


def first_day(playbook: Playbook, unit: str, day: date) -> date | None:
    """First day of the window of a unit that holds a day; none of all."""
    head = playbook.text["playbook"]
    if unit == "all":
        return None
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=(day.weekday() - WEEK.index(head.get("week_begins", "monday"))) % 7)
    if unit == "year":
        return date(day.year, 1, 1)
    if unit == "month":
        return date(day.year, day.month, 1)
    begins = head.get("fiscal_year_begins", 1) if unit == "fiscal_quarter" else 1
    months = day.year * 12 + day.month - 1
    months -= (months - (begins - 1)) % 3
    return date(months // 12, months % 12 + 1, 1)
