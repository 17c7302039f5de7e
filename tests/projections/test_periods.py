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


@pytest.mark.parametrize(
    ("unit", "first_day"),
    [
        ("day", date(2026, 3, 31)),
        ("week", date(2026, 3, 25)),  # weeks that begin on Wednesday
        ("month", date(2026, 3, 1)),
        ("quarter", date(2026, 1, 1)),
        ("fiscal_quarter", date(2026, 2, 1)),  # of a year that begins in November
        ("year", date(2026, 1, 1)),
        ("all", None),
    ],
)
def test_a_window_begins_on_the_first_day_of_its_unit(
    connection: duckdb.DuckDBPyConnection, unit: str, first_day: date | None
) -> None:
    last_moment = "timestamp '2026-03-31 23:59:59.999999'"
    asked = f"window_of({last_moment}, '{unit}', 3, 11), window_of({last_moment}::date, '{unit}', 3, 11)"

    assert connection.execute(f"select {asked}").fetchall() == [(first_day, first_day)]


def test_every_day_lies_in_the_fiscal_quarter_that_its_month_is_in(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for begins in range(1, 13):
        rows: list[tuple[date, date]] = connection.execute(
            "select day::date, window_of(day::date, 'fiscal_quarter', 1, $begins)"
            " from range(date '2027-01-01', date '2029-01-01', interval 1 day) as days(day)",
            {"begins": begins},
        ).fetchall()
        for day, first_day in rows:
            months = (day.year - first_day.year) * 12 + day.month - first_day.month
            assert 0 <= months <= 2 and first_day.day == 1 and (first_day.month - begins) % 3 == 0
