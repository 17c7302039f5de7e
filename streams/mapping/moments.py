"""Days and instants from text: by the formats a mapping names, in the zone it names, a column at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from datetime import time as time_of_day
from functools import partial
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from streams.mapping.language import Value

ISO, UNIX_S, UNIX_MS = "iso", "unix_s", "unix_ms"
_NAMED = (ISO, UNIX_S, UNIX_MS)
# What files are looked at for, in this order.
DAY_FORMATS = (
    "iso",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y/%m/%d",
    "%d %b %Y",
    "%b %d, %Y",
)
TIME_FORMATS = (
    "iso", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p",
)  # fmt: skip
_TIME = re.compile(r"%[-_0]?[HIklTRrXcs+]")
_ZONE = re.compile(r"%[:#]?z|%\+|%s")
# Of each of these the year, month and day differ, and so do their last digits: no two formats read it alike.
_SAMPLE = datetime(2003, 4, 5, 6, 7, 8)
_ISO_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
_ISO_BARE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")
UTC_MICROS = pl.Datetime("us", "UTC")


class Reads(Protocol):
    """Reads texts by a format; null where one does not fit."""

    def __call__(self, texts: pl.Series, fmt: str) -> pl.Series: ...


def wrong_zone(zone: str) -> str | None:
    """Why a text names no zone; None when it does."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{zone!r} is not a zone of the IANA database, such as Europe/Berlin or UTC"
    return None


def wrong_format(fmt: str) -> str | None:
    """Why a format cannot be used; None when it can."""
    if fmt in _NAMED:
        return None
    if "%" not in fmt:
        return f"{fmt!r} is no format; write it as %d/%m/%Y, or iso, unix_s, unix_ms"
    if "%Z" in fmt:
        return f"{fmt!r} has %Z, and short names of zones are ambiguous; name the zone, and leave it out"
    if "%Y" not in fmt and "%y" not in fmt and not re.search(r"%[FDcs+]", fmt):
        return f"{fmt!r} has no year"
    try:
        found = _parsed(pl.Series([_SAMPLE.strftime(_for_python(fmt))]), fmt)
    except (pl.exceptions.PolarsError, ValueError) as error:
        return f"{fmt!r} is no format: {str(error).splitlines()[0]}"
    return None if found[0] is not None else f"{fmt!r} does not read what it writes; each part by its own %"


def ambiguous_pair(formats: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Two formats that read one text as different days, and that text."""
    usable = [fmt for fmt in formats if fmt not in _NAMED and not wrong_format(fmt)]
    for first in usable:
        text = _SAMPLE.strftime(_for_python(first))
        for second in usable:
            found = _parsed(pl.Series([text]), second)[0]
            if second != first and found is not None and _day(found) != _SAMPLE.date():
                return first, second, text
    return None


def _day(found: object) -> object:
    return found.date() if isinstance(found, datetime) else found


def _for_python(fmt: str) -> str:
    """The format in Python's words, for writing a sample: offsets as +00:00, fractions as none."""
    return re.sub(r"%[:#]?z", "+0000", re.sub(r"%\.?\d?f", "", fmt)).replace("%k", "%H").replace("%l", "%I")


def has_time(fmt: str) -> bool:
    """Whether a format says the time of day. What `iso` says depends on the text."""
    return fmt in _NAMED or bool(_TIME.search(fmt))


def has_zone(fmt: str) -> bool:
    """Whether a format says the zone. What `iso` says depends on the text."""
    return fmt in _NAMED or bool(_ZONE.search(fmt))


def _parsed(texts: pl.Series, fmt: str) -> pl.Series:
    if has_time(fmt):
        return texts.str.to_datetime(fmt, strict=False, time_unit="us")
    return texts.str.to_date(fmt, strict=False)


def read_days(texts: pl.Series, value: Value, zone: str) -> pl.Series:
    """Days, null where a text is none. The day of an instant is the one that is written there."""
    if texts.dtype == pl.Date:
        return texts
    if isinstance(texts.dtype, pl.Datetime):
        return texts.dt.date()
    return _first_that_fits(texts, value.formats, partial(_days, zone=zone), pl.Date())


def _days(texts: pl.Series, fmt: str, zone: str) -> pl.Series:
    if fmt == ISO:
        days = texts.str.to_date("%Y-%m-%d", strict=False)
        if days.null_count() > texts.null_count():
            days = days.zip_with(days.is_not_null(), _iso_written(texts).dt.date())
        return days
    if fmt in (UNIX_S, UNIX_MS):
        instants = _epoch(texts, fmt)
        return instants.dt.convert_time_zone(zone).dt.date() if zone else instants.dt.date()
    found = _parsed(texts, fmt)
    return found if found.dtype == pl.Date else found.dt.date()


def read_instants(texts: pl.Series, value: Value, zone: str) -> pl.Series:
    """Instants in UTC, null where a text is none: also where the clocks skip it, show it twice and the
    mapping does not say which, or no zone is known."""
    if texts.dtype == pl.Date:
        return _at_time(texts, value, zone)
    if isinstance(texts.dtype, pl.Datetime):
        return _placed(texts.cast(pl.Datetime("us", texts.dtype.time_zone)), value, zone)
    return _first_that_fits(texts, value.formats, partial(_instants, value=value, zone=zone), UTC_MICROS)


def _instants(texts: pl.Series, fmt: str, value: Value, zone: str) -> pl.Series:
    if fmt in (UNIX_S, UNIX_MS):
        return _epoch(texts, fmt)
    if fmt != ISO:
        found = _parsed(texts, fmt)
        return _at_time(found, value, zone) if found.dtype == pl.Date else _placed(found, value, zone)
    bare = texts.str.replace(r"^(\d{4}-\d\d-\d\d) ", "${1}T").str.replace(r"[Zz]$", "+00:00")
    found = _none(texts, UTC_MICROS)
    for fmt_of_iso in (*_ISO_ZONED, *_ISO_BARE, "%Y-%m-%d"):
        found = _filled(found, bare, partial(_instants, fmt=fmt_of_iso, value=value, zone=zone))
    return found


def _iso_written(texts: pl.Series) -> pl.Series:
    """The date and time as written, whatever the zone behind it."""
    return texts.str.slice(0, 16).str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M", strict=False)


def _epoch(texts: pl.Series, fmt: str) -> pl.Series:
    unit: Literal["s", "ms"] = "s" if fmt == UNIX_S else "ms"
    numbers = pl.DataFrame({"n": texts.cast(pl.Int64, strict=False)})
    possible = pl.when(pl.col("n").abs() < 10**14).then(pl.col("n"))
    found = numbers.select(pl.from_epoch(possible, unit)).to_series()
    return found.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _utc(found: pl.Series) -> pl.Series:
    return (
        found.cast(UTC_MICROS)
        if isinstance(found.dtype, pl.Datetime) and found.dtype.time_zone
        else found.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )


def _at_time(days: pl.Series, value: Value, zone: str) -> pl.Series:
    """The instants at the mapping's time of day; none without one: a time is not guessed."""
    if not value.time:
        return _none(days, UTC_MICROS)
    frame = pl.DataFrame({"day": days})
    at = frame.select(pl.col("day").dt.combine(time_of_day.fromisoformat(value.time))).to_series()
    return _placed(at.cast(pl.Datetime("us")), value, zone)


def _placed(found: pl.Series, value: Value, zone: str) -> pl.Series:
    """Instants in UTC of what a clock in the zone shows."""
    if isinstance(found.dtype, pl.Datetime) and found.dtype.time_zone:
        return _utc(found)
    if not zone:
        return _none(found, UTC_MICROS)
    twice: Literal["earliest", "latest", "null"] = {"earlier": "earliest", "later": "latest"}.get(
        value.twice, "null"
    )  # type: ignore[assignment]
    return _utc(found.dt.replace_time_zone(zone, ambiguous=twice, non_existent="null"))


def _none(like: pl.Series, kind: pl.DataType) -> pl.Series:
    return pl.Series(like.name, [None], kind).new_from_index(0, len(like))


def _first_that_fits(texts: pl.Series, formats: tuple[str, ...], read: Reads, kind: pl.DataType) -> pl.Series:
    """What the first format that fits makes of each text."""
    found = _none(texts, kind)
    for fmt in formats:
        found = _filled(found, texts, partial(read, fmt=fmt))
    return found.cast(kind)


def _filled(found: pl.Series, texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """What was found, and where nothing was, what is read of the text: only those texts are looked at."""
    waiting = found.is_null() & texts.is_not_null()
    count = waiting.sum()
    if not count:
        return found
    if count == len(texts):
        return read(texts).cast(found.dtype)
    return found.scatter(waiting.arg_true(), read(texts.filter(waiting)).cast(found.dtype))


def read_by_zone(
    texts: pl.Series, zones: pl.Series, read: Callable[[pl.Series, str], pl.Series]
) -> pl.Series:
    """Each text in the zone of its row; null where that is not one."""
    number = pl.Series(range(len(texts)), dtype=pl.UInt32)
    found, places = [], []
    for zone in zones.unique().to_list():
        chosen = zones == zone if zone is not None else zones.is_null()
        known = zone if zone is not None and wrong_zone(zone) is None else ""
        found.append(read(texts.filter(chosen), known))
        places.append(number.filter(chosen))
    if not found:
        return read(texts, "")
    return pl.concat(found).gather(pl.concat(places).arg_sort())


def why_no_moment(texts: pl.Series, zones: pl.Series, value: Value, is_day: bool) -> pl.Series:
    """For texts that are no day or instant: why. A few rows only."""
    reasons = [
        _why(pl.Series([text], dtype=pl.String), value, zone or "", is_day)
        for text, zone in zip(texts.to_list(), zones.to_list(), strict=True)
    ]
    return pl.Series(reasons, dtype=pl.String)


def _why(text: pl.Series, value: Value, zone: str, is_day: bool) -> str:
    written = " or ".join(value.formats)

    def reads(zone: str, time: str, twice: str) -> bool:
        return read_instants(text, replace(value, time=time, twice=twice), zone)[0] is not None

    def reads_as(fmt: str) -> bool:
        return (
            read_instants(text, replace(value, formats=(fmt,), time="00:00", twice="earlier"), "UTC")[0]
            is not None
        )

    if is_day or not reads("UTC", "00:00", "earlier"):
        others = [fmt for fmt in (*DAY_FORMATS, *TIME_FORMATS) if reads_as(fmt)]
        if others:
            return f"is not written as {written}, but as {' or '.join(others)}; give `formats`"
        return f"is not {'a day' if is_day else 'an instant'} that exists, written as {written}"
    if not reads("UTC", value.time, "earlier"):
        return "is a day without a time; give `time`, or set occurred_on"
    if not zone or wrong_zone(zone):
        return "has no zone; give `zone` in [mapping] or beside the value"
    if not reads(zone, value.time, "earlier"):
        return f"does not exist in {zone}: the clocks skip it"
    return f"comes twice in {zone}, when the clocks are set back; give `twice`"
