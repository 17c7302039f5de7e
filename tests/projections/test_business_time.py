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
from projections.open_time import DDL, SQL_FUNCTIONS, open_days, open_spans
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
    "half of that hour": ("Europe/Berlin", ["Sun 02:00-02:30"], []),
    "the other half": ("Europe/Berlin", ["Sun 02:30-03:00"], []),
    "an hour and a half into it": ("Europe/Berlin", ["Sun 01:00-02:30"], []),
    "apia": ("Pacific/Apia", OFFICE, []),
    # Shifts over midnight; in Santiago and Havana that is where the clocks change.
    "berlin shifts": ("Europe/Berlin", ["Mon-Fri 22:00-06:00"], ["2026-01-01", "2026-04-03"]),
    "havana shifts": ("America/Havana", ["Sat-Sun 22:00-00:30", "Sun 00:15-00:45"], []),
    "santiago shifts": ("America/Santiago", ["Fri-Sun 20:00-04:00", "Sun 03:00-12:00"], ["2026-04-05"]),
    "lord howe shifts": ("Australia/Lord_Howe", ["Mon-Sun 18:15-01:45"], ["2026-10-04"]),
    "st john's shifts": ("America/St_Johns", ["Mon-Sun 23:00-00:00", "Sun 23:30-22:30"], ["2009-11-01"]),
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
        pytest.param(
            "half of that hour", "2024-03-31T00:00Z", "2024-04-01T00:00Z", 0, id="nor is half of it"
        ),
        pytest.param("half of that hour", "2024-10-27T00:00Z", "2024-10-28T00:00Z", 60, id="shown twice"),
        pytest.param("the other half", "2024-10-27T00:00Z", "2024-10-28T00:00Z", 60, id="as its other half"),
        pytest.param(
            "an hour and a half into it", "2024-03-31T00:00Z", "2024-04-01T00:00Z", 60, id="up to the change"
        ),
        pytest.param("apia", "2011-12-29T10:00Z", "2012-01-01T10:00Z", 540, id="a Friday that never was"),
        pytest.param(
            "berlin shifts", "2026-01-02T12:00Z", "2026-01-05T12:00Z", 480, id="Friday's shift, not Sunday's"
        ),
        pytest.param(
            "berlin shifts", "2025-12-31T12:00Z", "2026-01-02T12:00Z", 480, id="the eve of a holiday's shift"
        ),
        pytest.param("berlin shifts", "2026-01-01T12:00Z", "2026-01-02T12:00Z", 0, id="a holiday's shift"),
        pytest.param(
            "santiago shifts", "2026-04-04T12:00Z", "2026-04-05T12:00Z", 540, id="a shift of nine hours"
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
        st.sampled_from(
            [
                datetime(2026, m, d, tzinfo=UTC)
                for m, d in ((3, 29), (10, 25), (3, 8), (11, 1), (4, 5), (10, 4))
            ]
        ),
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
    """Whether the wall clock shows a time in a window of this day, or in a shift of the day before."""
    local = instant.astimezone(zone)
    clock = f"{local:%H:%M}"
    for window in windows:
        days, hours = window.split(" ")
        first, last = (_DAYS.index(day) for day in (days.split("-") * 2)[:2])
        opens, closes = hours.split("-")
        if opens < closes:
            is_shown, began = opens <= clock < closes, local.date()
        else:
            is_shown = clock >= opens or clock < closes
            began = local.date() if clock >= opens else local.date() - timedelta(days=1)
        is_weekday = (began.weekday() - first) % 7 <= (last - first) % 7
        if is_shown and is_weekday and began.isoformat() not in holidays:
            return True
    return False


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


CLOCKS = st.builds(lambda n: f"{n // 4:02d}:{n % 4 * 15:02d}", st.integers(0, 95))
WINDOWS = st.builds(
    lambda days, opens, closes: f"{'-'.join(days)} {opens}-{closes if closes != opens else '24:00'}",
    st.lists(st.sampled_from(_DAYS), min_size=1, max_size=2),
    CLOCKS,
    CLOCKS,
)


@effort(25)
@for_all(
    st.sampled_from(sorted(zone for zone in available_timezones() if zone != "localtime")),
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.datetimes(datetime(2000, 1, 5), datetime(2099, 12, 1), timezones=st.just(UTC)),
    st.sets(st.integers(0, 3)),
)
def test_any_calendar_is_open_while_the_wall_clock_shows_its_windows(
    zone: str, windows: list[str], near: datetime, holidays: set[int]
) -> None:
    """Looked at once a minute for three days, around the next change of the zone's clocks if there is one."""
    info, near = ZoneInfo(zone), near.replace(minute=0, second=0, microsecond=0)
    hours = (near + timedelta(hours=h) for h in range(24 * 200))
    shift = timedelta(hours=1)
    changes = (h for h in hours if h.astimezone(info).utcoffset() != (h + shift).astimezone(info).utcoffset())
    begin = next(changes, near) - timedelta(hours=36)
    closed = [str(begin.astimezone(info).date() + timedelta(days=n)) for n in sorted(holidays)]

    walked = [_is_open(begin + timedelta(minutes=n), info, windows, closed) for n in range(3 * 24 * 60)]

    calendar = Calendar("c", zone, read_windows(windows), frozenset(map(date.fromisoformat, closed)))
    other = OtherCalendar(zone, windows, closed)
    start, end = microseconds_of(begin), microseconds_of(begin + timedelta(days=3))
    assert open_time(other, start, end) == sum(walked) * MINUTE
    spans = pl.from_arrow(open_days(calendar))
    assert isinstance(spans, pl.DataFrame)
    opens, closes = (spans[name].to_physical() for name in ("opens_at", "closes_at"))
    assert (closes.clip(start, end) - opens.clip(start, end)).sum() == sum(walked) * MINUTE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("Mon-Fri", "write it like", id="no hours"),
        pytest.param("Mon-Fri 9-18", "write it like", id="hours without minutes"),
        pytest.param("Mon-Fri 09:00-25:00", "no time of day", id="an hour that does not exist"),
        pytest.param("Mo-Fr 09:00-18:00", "write it like", id="days in German"),
        pytest.param("Mon-Fri 09:00-09:00", "closes when it opens", id="no time at all"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_windows([text])
