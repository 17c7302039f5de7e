"""Open time as tables: for each calendar a running total, found by the day or by the total itself.

Open minutes between two instants are then a difference of two totals, exact across DST, weekends and
holidays. `SQL_FUNCTIONS` look them up: `open_us_at` the total at an instant, `instant_of_open_us` the instant
at which a total is reached. Each finds its one row by equality, for a join on `<=` sorts both its sides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from projections.business_time import Calendar, Window
from schemas.limits import EARLIEST, LATEST

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = pl.Datetime("us", "UTC")
# No zone changes its clocks twice within this, and none has since EARLIEST: the closest two lie a week apart.
_STEP = timedelta(days=6)

# open_day: one row for each UTC day (since 1970) of a calendar, and one more where it opens again that day.
# open_span: one row for each open interval of a day and each whole day of open time that it takes part in.
# open_calendar: the calendars whose rows are there; content: a digest of what decides them.
# No column is called like what the functions are asked about, `calendar` for one: the argument would mean
# the column. And they read the tables themselves: through a view the look-up would not be by equality.
DDL = (
    """
    create table if not exists playbook.open_day (
        calendar_id varchar, utc_day bigint, day_from timestamptz, day_until timestamptz,
        opens_at timestamptz, closes_at timestamptz, open_us_before bigint)
    """,
    """
    create table if not exists playbook.open_span (
        calendar_id varchar, open_days bigint, opens_at timestamptz,
        open_us_before bigint, open_us_after bigint)
    """,
    "create table if not exists playbook.open_calendar (calendar_id varchar, content varchar)",
)
SQL_FUNCTIONS = (
    f"""
    create or replace macro open_us_at(of_calendar, instant) as (
        select open_us_before + greatest(0, epoch_us(least(instant, closes_at)) - epoch_us(opens_at))
        from playbook.open_day
        where calendar_id = of_calendar and utc_day = epoch_us(instant) // {DAY_US}
            and day_from <= instant and instant < day_until)
    """,
    f"""
    create or replace macro instant_of_open_us(of_calendar, open_us) as (
        select opens_at + to_microseconds(open_us - open_us_before)
        from playbook.open_span
        where calendar_id = of_calendar and open_days = (open_us - 1) // {DAY_US}
            and open_us_before < open_us and open_us <= open_us_after)
    """,
)


@lru_cache(maxsize=64)
def open_days(calendar: Calendar) -> pa.Table:
    """Rows of playbook.open_day: every instant of the contract's range lies in exactly one of them.

    A day on which nothing opens has an interval of length nought at its start.
    """
    first, last = _day_of(EARLIEST), _day_of(LATEST)
    days = pl.DataFrame({"day": pl.int_range(first, last, eager=True)})
    start, end = pl.col("day") * DAY_US, (pl.col("day") + 1) * DAY_US
    rows = (
        days.join(_intervals(calendar), on="day", how="left", maintain_order="left_right")
        .with_columns(
            before=pl.coalesce("before", pl.col("after").forward_fill(), 0),
            opens=pl.coalesce("opens", start),
            closes=pl.coalesce("closes", start),
            is_first=pl.col("day").is_first_distinct(),
            is_last=pl.col("day").is_last_distinct(),
        )
        .with_columns(
            begins=pl.when("is_first").then(start).otherwise("opens"),
            ends=pl.when("is_last").then(end).otherwise(pl.col("opens").shift(-1)),
        )
    )
    instants = {"day_from": "begins", "day_until": "ends", "opens_at": "opens", "closes_at": "closes"}
    return rows.select(
        pl.lit(calendar.id).alias("calendar_id"),
        pl.col("day").alias("utc_day"),
        **{name: pl.col(column).cast(_INSTANT) for name, column in instants.items()},
        open_us_before=pl.col("before"),
    ).to_arrow()


def open_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """Open time between two instants; none when they are the other way round."""
    begins, ends = ((instant - _EPOCH) // timedelta(microseconds=1) for instant in (start, end))
    open_in = _intervals(calendar).filter(pl.col("opens") < ends, pl.col("closes") > begins)
    shared = pl.min_horizontal("closes", pl.lit(ends)) - pl.max_horizontal("opens", pl.lit(begins))
    return timedelta(microseconds=int(open_in.select(shared.sum()).item()))


@lru_cache(maxsize=64)
def open_spans(calendar: Calendar) -> pa.Table:
    """Rows of playbook.open_span: every total that is ever reached lies in exactly one of them."""
    first, last = pl.col("before") // DAY_US, (pl.col("after") - 1) // DAY_US
    rows = _intervals(calendar).with_columns(open_days=pl.int_ranges(first, last + 1)).explode("open_days")
    return rows.select(
        pl.lit(calendar.id).alias("calendar_id"),
        "open_days",
        opens_at=pl.col("opens").cast(_INSTANT),
        open_us_before=pl.col("before"),
        open_us_after=pl.col("after"),
    ).to_arrow()


@lru_cache(maxsize=64)
def _intervals(calendar: Calendar) -> pl.DataFrame:
    """When it is open: day, opens, closes in UTC, cut at midnight, oldest first, with the totals before and
    after. Windows that touch or overlap are one interval, so that no minute counts twice."""
    first, last = _day_of(EARLIEST) + 1, _day_of(LATEST)
    days = pl.DataFrame({"day": pl.int_range(first, last, eager=True)})
    holidays = pl.DataFrame({"day": pl.Series(sorted(calendar.holidays), dtype=pl.Date).to_physical()})
    open_on = days.join(holidays.cast(pl.Int64), on="day", how="anti")
    instants = _shown(calendar.zone, pl.concat(_of_window(open_on, window) for window in calendar.windows))
    begins_anew = pl.col("opens") > pl.col("closes").cum_max().shift(1)
    start, end = pl.col("day") * DAY_US, (pl.col("day") + 1) * DAY_US
    length = pl.col("closes") - pl.col("opens")
    return (
        instants.sort("opens", "closes")
        .group_by(begins_anew.fill_null(True).cum_sum().alias("interval"), maintain_order=True)
        .agg(pl.col("opens").min(), pl.col("closes").max())
        .with_columns(day=pl.int_ranges(pl.col("opens") // DAY_US, (pl.col("closes") - 1) // DAY_US + 1))
        .explode("day")
        .select("day", opens=pl.max_horizontal("opens", start), closes=pl.min_horizontal("closes", end))
        .with_columns(before=length.cum_sum() - length, after=length.cum_sum())
    )


def _of_window(days: pl.DataFrame, window: Window) -> pl.DataFrame:
    """The window as it begins on each of the days, in microseconds of the wall clock. One that closes before
    it opens is a shift over midnight: its end lies on the day after."""
    weekday = (pl.col("day") + _EPOCH.weekday()) % 7
    covered = days.filter((weekday - window.first + 7) % 7 <= (window.last - window.first) % 7)
    opens, closes = (
        pl.col("day") * DAY_US + minute * 60_000_000 for minute in (window.opens_minute, window.closes_minute)
    )
    return covered.select(opens=opens, closes=closes)


def _shown(zone: str, windows: pl.DataFrame) -> pl.DataFrame:
    """The instants at which the zone's wall clock shows a time within the windows: opens and closes in UTC.

    That is the rule for changes of the clock: a time that is skipped is no time at all, and a time that is
    shown twice counts twice. A window may be in several parts, or in none.
    """
    periods = _periods(zone)
    first = periods["wall_until"].search_sorted(windows["opens"], side="right")
    after_last = periods["wall_from"].search_sorted(windows["closes"], side="left")
    return (
        windows.with_columns(period=pl.int_ranges(first, after_last))
        .explode("period")
        .join(periods.with_row_index("period").cast({"period": pl.Int64}), on="period")
        .select(
            opens=pl.max_horizontal("opens", "wall_from") - pl.col("offset"),
            closes=pl.min_horizontal("closes", "wall_until") - pl.col("offset"),
        )
    )


@lru_cache(maxsize=64)
def _periods(zone: str) -> pl.DataFrame:
    """The periods of one offset from UTC, oldest first: the wall times at which each begins and ends.

    Between two of them the wall clock skips some time, or shows some a second time.
    """
    info, day = ZoneInfo(zone), timedelta(days=1)

    def offset(instant: datetime) -> int:
        return (info.utcoffset(instant.astimezone(info)) or timedelta()) // timedelta(microseconds=1)

    at, current = EARLIEST - day, offset(EARLIEST - day)
    changes, offsets = [_us_of(EARLIEST - 3 * day)], [current]
    while at < LATEST + day:
        following = offset(at + _STEP)
        if following != current:
            changes.append(_us_of(_first_with_another(offset, at, at + _STEP)))
            offsets.append(following)
        at, current = at + _STEP, following
    return pl.DataFrame(
        {"begins": changes, "ends": [*changes[1:], _us_of(LATEST + 3 * day)], "offset": offsets}
    ).select(
        wall_from=pl.col("begins") + pl.col("offset"),
        wall_until=pl.col("ends") + pl.col("offset"),
        offset=pl.col("offset"),
    )


def _first_with_another(offset: Callable[[datetime], int], before: datetime, after: datetime) -> datetime:
    """The instant, to the second, at which the offset changes. One does between the two."""
    second = timedelta(seconds=1)
    while after - before > second:
        middle = before + (after - before) // second // 2 * second
        if offset(middle) == offset(before):
            before = middle
        else:
            after = middle
    return after


def _us_of(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _day_of(instant: datetime) -> int:
    return (instant - _EPOCH).days
