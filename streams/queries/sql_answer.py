"""The rows of a statement in the forms that `baton sql` writes. DuckDB writes each value out, so that none is
rounded or lost on its way through another type: an interval keeps its months, an instant may be infinite."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

import duckdb

from streams.queries.values import NULL, defused, printable
from warehouse.reading import unique_names
from warehouse.whole_file import whole_file

MOST_COUNTED = 1_000_000
_ROWS_AT_A_TIME = 5_000
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|FLOAT|DOUBLE|BIGNUM|DECIMAL\(.*\)")
_WRITTEN_OUT = re.compile(r"DATE|TIME.*|INTERVAL|BIT")
_NEEDS_JSON = re.compile(r".*\bINTERVAL\b.*[)\]]", re.DOTALL)
_DIGITS = re.compile(r"(-?)(\d+)(\.\d+)?")
_INSTANT = re.compile(r"(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?")

Rows = duckdb.DuckDBPyRelation


def is_number(rows: Rows) -> list[bool]:
    """For each column, whether it holds numbers."""
    return [_NUMBER.fullmatch(str(type_)) is not None for type_ in rows.types]


def texts(rows: Rows, limit: int | None) -> tuple[list[list[str]], int]:
    """The first rows as texts for a table, digits in groups of three, and how many rows are left out."""
    numbers = is_number(rows)
    found = _each(rows.project("columns(*)::varchar"))
    shown = [
        [
            NULL if text is None else _grouped(text) if is_number else printable(text)
            for text, is_number in zip(row, numbers, strict=True)
        ]
        for row in islice(found, limit)
    ]
    return shown, count_rest(found)


def dicts(rows: Rows, limit: int | None) -> tuple[list[dict[str, Any]], int]:
    """The first rows for JSON, and how many are left out. Instants and days are in ISO 8601."""
    found = each_dict(rows)
    return list(islice(found, limit)), count_rest(found)


def each_dict(rows: Rows) -> Iterator[dict[str, Any]]:
    """The rows for JSON, one after another."""
    types = [str(type_) for type_ in rows.types]
    names = unique_names(rows.columns)
    for row in _each(rows.project(", ".join(_column(place, type_) for place, type_ in enumerate(types, 1)))):
        yield {name: _for_json(value, type_) for name, type_, value in zip(names, types, row, strict=True)}


def write_csv(rows: Rows, limit: int | None, out: TextIO) -> int:
    """Write a header and the first rows; how many are left out. A null is empty, an empty text is `""`.

    What a terminal would act on is escaped when a terminal reads it.
    """
    found = _each(rows.project("columns(*)::varchar"))
    shown = printable if out.isatty() else str
    for row in chain([list(rows.columns)], islice(found, limit)):
        out.write(_csv_line(row, shown))
    return count_rest(found)


def spreadsheet_lines(rows: Rows) -> Iterator[str]:
    """CSV for spreadsheets: a text that one would compute as a formula has an apostrophe before it."""
    numbers = is_number(rows)
    yield _csv_line(rows.columns, defused)
    for row in _each(rows.project("columns(*)::varchar")):
        yield _csv_line(
            [
                text if text is None or number else defused(text)
                for text, number in zip(row, numbers, strict=True)
            ],
            str,
        )


def _csv_line(row: Sequence[str | None], shown: Callable[[str], str]) -> str:
    return ",".join("" if text is None else _csv_field(shown(text)) for text in row) + "\n"


def write_parquet(rows: Rows, limit: int | None, file: Path) -> None:
    """Write the first rows with their types. Raises BatonError when the file cannot be written."""
    with whole_file(file, "baton sql --parquet FILE QUERY") as partial:
        (rows if limit is None else rows.limit(limit)).write_parquet(str(partial))


def count_rest(found: Iterator[Any]) -> int:
    """How many are left, counted up to MOST_COUNTED."""
    return sum(1 for _ in islice(found, MOST_COUNTED))


def _each(rows: Rows) -> Iterator[tuple[Any, ...]]:
    while some := rows.fetchmany(_ROWS_AT_A_TIME):
        yield from some


def _grouped(text: str) -> str:
    number = _DIGITS.fullmatch(text)
    return f"{number[1]}{int(number[2]):,}{number[3] or ''}" if number else text


def _csv_field(text: str) -> str:
    return f'"{text.replace(chr(34), 2 * chr(34))}"' if not text or re.search(r'[",\r\n]', text) else text


def _column(place: int, type_: str) -> str:
    if _WRITTEN_OUT.fullmatch(type_):
        return f"#{place}::varchar"
    return f"to_json(#{place})::varchar" if _NEEDS_JSON.fullmatch(type_) else f"#{place}"


def _for_json(value: Any, type_: str) -> Any:
    if isinstance(value, str) and _NEEDS_JSON.fullmatch(type_):
        return json.loads(value)
    if isinstance(value, str) and type_.startswith(("TIMESTAMP", "DATE")):
        instant = _INSTANT.fullmatch(value)
        return f"{instant[1]}T{instant[2]}{'+00:00' if instant[3] else ''}" if instant else value
    return value
