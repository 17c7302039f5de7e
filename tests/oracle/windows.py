"""The windows of the funnel's views: days, weeks, months, quarters or years, as the playbook says."""

from __future__ import annotations

from datetime import date, timedelta

from tests.oracle.playbook import Playbook

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def window_start(playbook: Playbook, instant: int) -> str:
    """First day of the window that holds the instant, in the playbook's zone."""
    day, window = playbook.day_of(instant), playbook.text["playbook"]["window"]
    if window == "week":
        begins = WEEK.index(playbook.text["playbook"].get("week_begins", "monday"))
        day -= timedelta(days=(day.weekday() - begins) % 7)
    elif window != "day":
        first_month = {"quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}.get(window, day.month)
        day = date(day.year, first_month, 1)
    return day.isoformat()
