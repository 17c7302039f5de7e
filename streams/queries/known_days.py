"""What is known on a day: everything recorded by its end."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta


def end_of(day: date) -> datetime:
    """The end of a day in UTC, so that all that was recorded on it is known."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)
