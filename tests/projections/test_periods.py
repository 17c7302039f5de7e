"""Where a day begins: SQL says the instant that Python says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import duckdb
import pytest

from projections.periods import SQL_FUNCTIONS

# Most of them change, or have changed, their clocks at midnight or over it.
ZONES = (
    "Africa/Cairo", "America/Asuncion", "America/Havana", "America/Santiago", "America/Sao_Paulo",
    "America/Scoresbysund", "Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Atlantic/Azores",
    "Australia/Lord_Howe", "Europe/Berlin", "Pacific/Apia",
)  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    opened.execute("set TimeZone = 'UTC'")
    for statement in SQL_FUNCTIONS:
        opened.execute(statement)
    return opened


def test_where_midnight_comes_twice_the_day_begins_with_the_first(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    begins = "select day_begins(date '2026-11-01', 'America/Havana')"

    assert connection.execute(begins).fetchall() == [(datetime(2026, 11, 1, 4, tzinfo=UTC),)]


@pytest.mark.parametrize("zone", ZONES)
def test_every_day_begins_when_python_says(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """For 2000 to 2036, in which each of the zones still has, had or stopped having such days."""
    rows: list[tuple[date, datetime]] = connection.execute(
        "select day::date, day_begins(day::date, $zone)"
        " from range(date '2000-01-03', date '2037-01-01', interval 1 day) as days(day)",
        {"zone": zone},
    ).fetchall()
    wanted = [datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for d, _ in rows]

    assert [begins for _, begins in rows] == wanted
