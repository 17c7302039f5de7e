"""JSON lines, Parquet and Excel files, in parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from streams.imports.part import (
    Part,
    Places,
    Unread,
    cannot_read,
    check_width,
    no_such_columns,
    numbered,
    utf8_pieces,
)
from streams.mapping.language import FileRule
from streams.mapping.records import as_frame, paths_of

_ROWS = 131_072
_HEADER_LINES = 1
# May be half of a surrogate pair alone: polars reads it as another character, without a word.
_HALF = re.compile(
    rb"\\u[dD](?:(?<=\\\\u.)|[89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u.)[c-fC-F])", re.DOTALL
)


def jsonl_header(path: Path, file: FileRule) -> list[str]:
    """Every field of the first records, those of nested objects as `outer.inner`."""
    data = next((data for data, _, _ in _lines(path, file.encoding)), b"")
    names: dict[str, None] = {}
    for line in data.splitlines()[:1000]:
        try:
            names |= dict.fromkeys(paths_of(_record(line, frozenset())))
        except (ValueError, RecursionError):
            continue
    check_width(path, len(names))
    return list(names)


def jsonl_parts(path: Path, file: FileRule, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """Parts of a file with one object to a line. A field that no record of a part has is empty."""
    header = jsonl_header(path, file)
    wanted = header if wanted is None else wanted
    if missing := [name for name in wanted if name not in header]:
        raise no_such_columns(path, missing, header, file)
    for data, first_line, read in _lines(path, file.encoding):
        yield _jsonl_part(data, first_line, wanted, read)


def _lines(path: Path, encoding: str) -> Iterator[tuple[bytes, int, float]]:
    left, line = b"", 1
    for piece, read in utf8_pieces(path, encoding):
        left += piece
        end = left.rfind(b"\n") + 1 if piece else len(left)
        if end:
            yield left[:end], line, read
            line += left.count(b"\n", 0, end)
            left = left[end:]


def _jsonl_part(data: bytes, first_line: int, wanted: Sequence[str], read: float) -> Part:
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()

    def places_of(numbers: Sequence[int] | range) -> Places:
        return lambda rows: {
            r: (first_line + numbers[r], lines[numbers[r]].decode(errors="replace").rstrip("\r"))
            for r in rows
        }

    frame = _by_polars(data, wanted)
    if frame is not None and frame.height == len(lines):
        return Part(numbered(frame), places_of(range(len(lines))), (), read)
    records: list[Mapping[str, Any]] = []
    numbers: list[int] = []
    unread: list[Unread] = []
    fields = frozenset(part for name in wanted for part in (name, *name.split(".")))
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            records.append(_record(line, fields))
            numbers.append(number)
        except (ValueError, RecursionError) as error:
            unread.append(Unread(first_line + number, line.decode(errors="replace"), f"is not JSON: {error}"))
    return Part(as_frame(records, wanted), places_of(numbers), tuple(unread), read)


def _record(line: bytes, fields: frozenset[str]) -> dict[str, Any]:
    """The object of a line. Raises ValueError for what is none, and for one that names one of these fields
    twice, at whatever depth: readers of JSON differ in which they take."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs if name in fields]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ValueError(f"{twice!r} is named twice in one object")
        return found

    record = json.loads(line, object_pairs_hook=once)
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    try:
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start].encode("ascii", "backslashreplace").decode()
        raise ValueError(f"{half} is half of a surrogate pair, and no character") from error
    except ValueError as error:
        raise ValueError("NaN and Infinity are no numbers of JSON, nor is one beyond 1e308") from error
    return record


def _is_doubtful(data: bytes, frame: pl.DataFrame) -> bool:
    """Whether polars may have passed over half of a surrogate pair, or over a field that is named twice."""
    if b"\\u" in data and _HALF.search(data):
        return True
    lines: pl.Series | None = None
    for column in frame:
        name = json.dumps(column.name, ensure_ascii=False)
        if data.count(name.encode()) > column.len() - column.null_count():
            lines = pl.Series(data.decode().split("\n")) if lines is None else lines
            if (lines.str.count_matches(name, literal=True) > 1).any():
                return True
    return False


def _by_polars(data: bytes, wanted: Sequence[str]) -> pl.DataFrame | None:
    """The wanted fields as text; None for nested ones, and where a line is not an object."""
    if any("." in name for name in wanted):
        return None
    try:
        frame = pl.read_ndjson(data, schema=dict.fromkeys(wanted, pl.String())).select(wanted)
    except pl.exceptions.PolarsError:
        return None
    return None if _is_doubtful(data, frame) else frame


def parquet_header(path: Path, file: FileRule) -> list[str]:
    """The names of the columns, fields of structs as `outer.inner`."""
    try:
        names = list(_flat(pl.read_parquet_schema(path)))
    except pl.exceptions.PolarsError as error:
        raise cannot_read(path, str(error)) from error
    check_width(path, len(names))
    return names


def _flat(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, kind in schema.items():
        if isinstance(kind, pl.Struct):
            yield from _flat({f.name: f.dtype for f in kind.fields}, f"{prefix}{name}.")
        else:
            yield prefix + name


def parquet_parts(path: Path, file: FileRule, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """Parts of a Parquet file; a row has no line, so its number stands for one."""
    header = parquet_header(path, file)
    wanted = header if wanted is None else wanted
    if missing := [name for name in wanted if name not in header]:
        raise no_such_columns(path, missing, header, file)
    try:
        table = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise cannot_read(path, str(error)) from error
    total, done = max(1, table.metadata.num_rows), 0
    for batch in table.iter_batches(
        _ROWS, columns=list(dict.fromkeys(name.partition(".")[0] for name in wanted))
    ):
        frame = pl.DataFrame(pl.from_arrow(batch)).select(_path(name).alias(name) for name in wanted)
        yield Part(numbered(frame), _shown_rows(frame, done), (), (done := done + frame.height) / total)


def _path(name: str) -> pl.Expr:
    head, *rest = name.split(".")
    column = pl.col(head)
    for part in rest:
        column = column.struct.field(part)
    return column


def _shown_rows(frame: pl.DataFrame, before: int, lines_above: int = 0) -> Places:
    def places(rows: Sequence[int]) -> dict[int, tuple[int, str]]:
        return {
            row: (
                before + row + 1 + lines_above,
                json.dumps(frame.row(row, named=True), default=str, ensure_ascii=False),
            )
            for row in rows
        }

    return places


def _sheet(path: Path, file: FileRule) -> pl.DataFrame:
    try:
        return pl.read_excel(
            path,
            sheet_name=file.sheet or None,
            engine="calamine",
            infer_schema_length=None,
            raise_if_empty=False,
        )
    except Exception as error:  # the engine raises kinds of its own for what is not a workbook
        said, *context = str(error).splitlines() or [type(error).__name__]
        why = f"it is damaged, or no Excel workbook ({said.rpartition(': ')[2]})" if context else said
        raise cannot_read(path, why) from error


def xlsx_header(path: Path, file: FileRule) -> list[str]:
    """The names in the first row of the sheet."""
    return _sheet(path, file).columns


def xlsx_parts(path: Path, file: FileRule, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """The sheet, at once: a workbook has at most a million rows. Its lines are those Excel shows."""
    frame = _sheet(path, file)
    wanted = frame.columns if wanted is None else wanted
    if missing := [name for name in wanted if name not in frame.columns]:
        raise no_such_columns(path, missing, frame.columns, file)
    frame = frame.select(wanted)
    yield Part(numbered(frame), _shown_rows(frame, 0, _HEADER_LINES))
