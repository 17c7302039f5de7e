"""Business time: a table of cases made by hand, and the same sums by code that shares nothing with ours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from projections.business_time import Calendar, read_windows
from projections.open_time import DDL, SQL_FUNCTIONS, in_utc, open_days, open_spans
from projections.playbook import read_playbook
from schemas.limits import EARLIEST, LATEST
from streams.simulator.clock import Calendar as OtherCalendar
from streams.simulator.clock import microseconds_of
from tests.laws.records import effort
from tests.oracle.business_time import open_time

HOUR = 3_600_000_000
MINUTE = 60_000_000
OFFICE, LUNCH = ["Mon-Fri 09:00-18:00"], ["Mon-Fri 09:30-13:00", "Mon-Fri 14:00-18:30"]
DEFINITIONS = {
    "berlin": ("Europe/Berlin", OFFICE, ["2026-01-01"]),
    "new_york": ("America/New_York", ["Mon-Fri 09:00-17:30"], ["2026-07-03"]),
    "kolkata": ("Asia/Kolkata", LUNCH, ["2026-01-26"]),
    # Windows that lie in, or run over, the hours that DST repeats and leaves out.
    "berlin nights": ("Europe/Berlin", ["Sat-Sun 00:00-06:00", "Sun 05:00-24:00"], []),
    "new york nights": ("America/New_York", ["Sun 00:30-03:30"], []),
    "all the time": ("Europe/Berlin", ["Mon-Sun 00:00-24:00"], []),
    "over the week's end": ("Pacific/Auckland", ["Fri-Mon 22:00-24:00", "Sat-Tue 00:00-02:00"], []),
    "the hour that is left out": ("Europe/Berlin", ["Sun 02:00-03:00"], []),
}
CALENDARS = {
    name: Calendar(name, zone, read_windows(windows), frozenset(map(date.fromisoformat, holidays)))
    for name, (zone, windows, holidays) in DEFINITIONS.items()
}
OTHERS = {
    name: OtherCalendar(zone, windows, holidays) for name, (zone, windows, holidays) in DEFINITIONS.items()
}


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    opened.execute("set TimeZone = 'UTC'")
    opened.execute("create schema playbook")
    for statement in [*DDL, *SQL_FUNCTIONS]:
        opened.execute(statement)
    for table, rows in (("open_day", open_days), ("open_span", open_spans)):
        opened.register("made", pa.concat_tables([rows(calendar) for calendar in CALENDARS.values()]))
        opened.execute(f"insert into playbook.{table} by name from made")
    return opened


def open_between(
    connection: duckdb.DuckDBPyConnection, asked: list[tuple[str, datetime, datetime]]
) -> list[int]:
    """Open microseconds of each (calendar, start, end), as the views count them: a difference of totals."""
    names, starts, ends = zip(*asked, strict=True)
    instant = pa.timestamp("us", "UTC")
    columns = [range(len(asked)), names, pa.array(starts, instant), pa.array(ends, instant)]
    connection.register("asked", pa.table(columns, ["n", "calendar", "start_at", "end_at"]))
    rows = connection.execute(
        """
        select open_us_at(calendar, end_at) - open_us_at(calendar, start_at)
        from asked
        order by n
        """
    ).fetchall()
    return [us for (us,) in rows]


def due_after(
    connection: duckdb.DuckDBPyConnection, calendar: str, start: datetime, allowed_us: int
) -> datetime:
    """When so much open time has passed, as the views look it up."""
    rows = connection.execute(
        """
        select instant_of_open_us($calendar, open_us_at($calendar, $start) + $allowed)
        """,
        {"start": start, "allowed": allowed_us, "calendar": calendar},
    ).fetchall()
    due: datetime = rows[0][0]
    return due


def at(zone: str, text: str) -> datetime:
    """A time on the wall clock of a zone, unless the text says its own offset."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))


# --- by hand ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "offered", "due"),
    [
        pytest.param(
            "berlin", "2026-01-10T15:00", "2026-01-12T11:00", id="Saturday 15:00 is due Monday 11:00"
        ),
        pytest.param("berlin", "2026-01-11T23:00", "2026-01-12T11:00", id="Sunday 23:00 is due Monday 11:00"),
        pytest.param("berlin", "2026-01-09T19:00", "2026-01-12T11:00", id="Friday 19:00 is due Monday 11:00"),
        pytest.param("berlin", "2026-01-09T17:00", "2026-01-12T10:00", id="Friday 17:00 is due Monday 10:00"),
        pytest.param("berlin", "2026-01-09T16:00", "2026-01-09T18:00", id="the last open instant is in time"),
        pytest.param("berlin", "2025-12-31T17:00", "2026-01-02T10:00", id="a holiday is closed"),
        pytest.param("berlin", "2026-03-27T17:00", "2026-03-30T10:00", id="Berlin's clocks go forward"),
        pytest.param("berlin", "2026-10-23T17:00", "2026-10-26T10:00", id="Berlin's clocks go back"),
        pytest.param("new_york", "2026-03-06T17:00", "2026-03-09T10:30", id="New York's clocks go forward"),
        pytest.param("new_york", "2026-10-30T17:00", "2026-11-02T10:30", id="New York's clocks go back"),
        pytest.param("kolkata", "2026-01-05T12:30", "2026-01-05T15:30", id="a lunch break does not count"),
        pytest.param("berlin nights", "2026-03-29T01:30", "2026-03-29T04:30", id="the hour that is left out"),
        pytest.param(
            "berlin nights", "2026-10-25T01:30", "2026-10-25T02:30+01:00", id="the hour that is lived twice"
        ),
    ],
)
def test_two_open_hours_are_over(
    connection: duckdb.DuckDBPyConnection, calendar: str, offered: str, due: str
) -> None:
    zone = DEFINITIONS[calendar][0]
    due_at = due_after(connection, calendar, at(zone, offered), 2 * HOUR)

    assert due_at.astimezone(UTC) == at(zone, due).astimezone(UTC)
    assert open_between(connection, [(calendar, at(zone, offered), due_at)]) == [2 * HOUR]


@pytest.mark.parametrize(
    ("calendar", "start", "end", "minutes"),
    [
        pytest.param("berlin", "2026-01-05T09:30+01:00", "2026-01-05T10:00+01:00", 30, id="within a window"),
        pytest.param("berlin", "2026-01-09T17:00+01:00", "2026-01-12T10:00+01:00", 120, id="over a weekend"),
        pytest.param("berlin", "2026-01-12T10:00+01:00", "2026-01-09T17:00+01:00", -120, id="backwards"),
        pytest.param("berlin", "2026-01-10T10:00+01:00", "2026-01-11T10:00+01:00", 0, id="all closed"),
        pytest.param(
            "berlin", "2026-01-05T08:00+01:00", "2026-01-05T20:00+01:00", 540, id="a day from outside"
        ),
        pytest.param("berlin", "2025-12-31T18:00+01:00", "2026-01-02T09:00+01:00", 0, id="over a holiday"),
        pytest.param("kolkata", "2026-01-05T12:30+05:30", "2026-01-05T14:30+05:30", 60, id="over lunch"),
        pytest.param("berlin nights", "2026-03-28T22:00Z", "2026-03-29T10:00Z", 660, id="a day of 23 hours"),
        pytest.param("berlin nights", "2026-10-24T12:00Z", "2026-10-26T12:00Z", 1500, id="a day of 25 hours"),
        pytest.param(
            "new york nights", "2026-03-08T00:00Z", "2026-03-09T00:00Z", 120, id="forward in a window"
        ),
        pytest.param("new york nights", "2026-11-01T00:00Z", "2026-11-02T00:00Z", 240, id="back in a window"),
        pytest.param(
            "the hour that is left out", "2026-03-29T00:00Z", "2026-03-30T00:00Z", 0, id="no time at all"
        ),
        pytest.param("all the time", "2026-01-01T00:00Z", "2027-01-01T00:00Z", 525_600, id="a whole year"),
    ],
)
def test_open_minutes_between_two_instants(
    connection: duckdb.DuckDBPyConnection, calendar: str, start: str, end: str, minutes: int
) -> None:
    asked = (calendar, datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert open_between(connection, [asked]) == [minutes * MINUTE]


# --- by other code ------------------------------------------------------------------------------

INSTANTS = st.one_of(
    st.datetimes(datetime(2025, 12, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.builds(  # around the hours in which clocks change
        lambda day, hours, us: day + timedelta(hours=hours, microseconds=us),
        st.sampled_from([datetime(2026, m, d, tzinfo=UTC) for m, d in ((3, 29), (10, 25), (3, 8), (11, 1))]),
        st.integers(-30, 30),
        st.sampled_from([0, 1, -1]),
    ),
)


@effort(60)
@for_all(st.lists(st.tuples(st.sampled_from(list(CALENDARS)), INSTANTS, INSTANTS), min_size=1, max_size=20))
def test_the_same_open_time_as_the_oracle_counts_window_by_window(
    connection: duckdb.DuckDBPyConnection, asked: list[tuple[str, datetime, datetime]]
) -> None:
    counted = [open_time(OTHERS[name], microseconds_of(a), microseconds_of(b)) for name, a, b in asked]

    assert open_between(connection, asked) == counted


@effort(60)
@for_all(st.sampled_from(list(CALENDARS)), INSTANTS, st.integers(1, 60 * HOUR))
def test_the_same_due_instant_as_the_simulator_finds(
    connection: duckdb.DuckDBPyConnection, name: str, start: datetime, allowed_us: int
) -> None:
    if name in ("new york nights", "the hour that is left out"):
        allowed_us = allowed_us % HOUR + 1  # little open time: the simulator looks ten years ahead only
    due = due_after(connection, name, start, allowed_us)

    assert microseconds_of(due) == OTHERS[name].after(microseconds_of(start), allowed_us)


@effort(15)
@for_all(st.sampled_from(list(CALENDARS)), INSTANTS, st.integers(0, 3 * 24 * 60))
def test_the_same_open_time_as_a_walk_minute_by_minute(
    connection: duckdb.DuckDBPyConnection, name: str, start: datetime, minutes: int
) -> None:
    """On whole minutes: local wall time is looked at once a minute, which needs no arithmetic at all."""
    start = start.replace(second=0, microsecond=0)
    zone, windows, holidays = DEFINITIONS[name]
    walked = sum(
        _is_open(start + timedelta(minutes=n), ZoneInfo(zone), windows, holidays) for n in range(minutes)
    )

    end = start + timedelta(minutes=minutes)
    assert open_between(connection, [(name, start, end)]) == [walked * MINUTE]


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def _is_open(instant: datetime, zone: ZoneInfo, windows: list[str], holidays: list[str]) -> bool:
    """Whether the wall clock shows a time in a window. A window's ends are instants of their own (fold=0)."""
    local = instant.astimezone(zone)
    if local.date().isoformat() in holidays:
        return False
    for window in windows:
        days, hours = window.split(" ")
        first, last = (_DAYS.index(day) for day in (days.split("-") * 2)[:2])
        begin, end = hours.split("-")
        if (local.weekday() - first) % 7 <= (last - first) % 7:
            opens = _wall(local.date(), begin, zone)
            closes = _wall(local.date(), end, zone)
            if opens <= instant < closes:
                return True
    return False


def _wall(day: date, clock: str, zone: ZoneInfo) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    midnight = datetime(day.year, day.month, day.day) + timedelta(hours=hours, minutes=minutes)
    return midnight.replace(tzinfo=zone).astimezone(UTC)


# --- the tables ---------------------------------------------------------------------------------


@pytest.mark.parametrize("calendar", [*read_playbook().calendars, *CALENDARS.values()], ids=lambda c: c.id)
def test_days_follow_each_other_without_a_gap_and_totals_add_up(calendar: Calendar) -> None:
    rows = open_days(calendar).to_pylist()

    assert (rows[0]["day_from"], rows[-1]["day_until"]) == (EARLIEST, LATEST)
    total, until = 0, EARLIEST
    for row in rows:
        assert (row["day_from"], row["open_us_before"]) == (until, total)
        assert row["day_from"] <= row["opens_at"] <= row["closes_at"] <= row["day_until"]
        until = row["day_until"]
        total += (row["closes_at"] - row["opens_at"]) // timedelta(microseconds=1)


@effort(25)
@for_all(
    st.sampled_from(sorted(available_timezones())),
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),
    st.integers(-90, 90),
)
def test_a_wall_time_is_the_instant_that_python_says(zone: str, near: datetime, minutes: int) -> None:
    """Also beside a change of the zone's clocks, where one lies near."""
    info = ZoneInfo(zone)
    since = near.replace(tzinfo=UTC)
    changes = [
        d
        for d in (since + timedelta(hours=h) for h in range(24 * 200))
        if info.utcoffset(d.astimezone(info)) != info.utcoffset((d + timedelta(hours=1)).astimezone(info))
    ]
    asked = [near] + [
        d.astimezone(info).replace(tzinfo=None) + timedelta(minutes=minutes) for d in changes[:2]
    ]
    asked = [wall for wall in asked if wall < datetime(2099, 12, 31)]

    found = in_utc(
        zone, pl.Series([(wall - datetime(1970, 1, 1)) // timedelta(microseconds=1) for wall in asked])
    )

    assert found.to_list() == [microseconds_of(w.replace(tzinfo=info).astimezone(UTC)) for w in asked]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("Mon-Fri", "write it like", id="no hours"),
        pytest.param("Mon-Fri 9-18", "write it like", id="hours without minutes"),
        pytest.param("Mon-Fri 09:00-25:00", "no time of day", id="an hour that does not exist"),
        pytest.param("Mon-Fri 18:00-09:00", "closes before it opens", id="over midnight"),
        pytest.param("Mo-Fr 09:00-18:00", "write it like", id="days in German"),
        pytest.param("Mon-Fri 09:00-09:00", "closes before it opens", id="no time at all"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_windows([text])
