"""CSV files, in parts: read by polars where a part is regular, row by row where it is not.

A part ends at the end of a row, which is a line's end outside quotes. Rows are counted by polars; where one
stands is looked up when somebody asks, in the bytes of its part.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from schemas.errors import BatonError
from streams.imports.part import (
    LONGEST_ROW,
    Part,
    Unread,
    cannot_read,
    check_width,
    no_such_columns,
    numbered,
    utf8_pieces,
)
from streams.mapping.language import FileRule

csv.field_size_limit(LONGEST_ROW)


def csv_header(path: Path, file: FileRule) -> list[str]:
    """The names of the columns."""
    return _Csv(path, file).header


def csv_parts(path: Path, file: FileRule, wanted: Sequence[str] | None = None) -> Iterator[Part]:
    """The parts of a file, with these columns or all. Raises BatonError without one of them."""
    table = _Csv(path, file)
    wanted = table.header if wanted is None else wanted
    if missing := [name for name in wanted if name not in table.places]:
        raise no_such_columns(path, missing, table.header, file)
    for data, first_line, lines, read, is_regular in table.row_pieces():
        if data and not data.isspace():
            yield table.part(data, first_line, lines, wanted, read, is_regular)


class _Row(NamedTuple):
    """One row, or what cannot be one (`why`): its lines, counted from 0, `stop` the one behind it."""

    start: int
    stop: int
    values: list[str]
    why: str
    is_unfinished: bool


def _reason(error: str) -> str:
    """What the csv module finds wrong with a row, in words for the person who has the file."""
    if "end of data" in error:
        return "cannot be read: a quote is opened here and never closed"
    if "expected after" in error:
        return (
            "cannot be read: text stands behind a closing quote; a quote is opened here and not closed, or"
            " one inside a value is not written twice"
        )
    return error and f"cannot be read: {error}"


class _Csv:
    """One file: its dialect, its header, and its bytes cut at the ends of rows."""

    def __init__(self, path: Path, file: FileRule) -> None:
        self.path = path
        self.encoding = file.encoding
        self.delimiter = file.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        self.quote = file.quote
        self.header, self.header_lines = self._read_header()
        self.places = {name: place for place, name in enumerate(self.header)}

    def _read_header(self) -> tuple[list[str], int]:
        data = b""
        for piece, _ in utf8_pieces(self.path, self.encoding):
            data += piece
            whole = data if not piece else data[: data.rfind(b"\n") + 1]
            first = next(self._rows(whole), None)
            if piece and (first is None or first.is_unfinished):
                self._check_length(len(data) - len(piece), 1)
                continue
            if first is None or not any(name.strip() for name in first.values or [first.why]):
                break
            if first.why:
                raise cannot_read(self.path, f"its header {first.why}")
            names = [name.strip() for name in first.values]
            check_width(self.path, len(names))
            twice = sorted(name for name, count in Counter(names).items() if name and count > 1)
            if twice:
                raise cannot_read(self.path, f"its header names {twice[0]!r} twice")
            return [name or f"column {place}" for place, name in enumerate(names, 1)], first.stop
        raise cannot_read(self.path, "it has no header")

    def _rows(self, data: bytes, line: int = 1) -> Iterator[_Row]:
        """The rows of a text that begins with one, as RFC 4180 has them: behind a closing quote comes the
        delimiter or the line's end. What is none ends with the line that shows it.
        `line`: where the text begins, for the error about a row that has no end."""
        found = csv.reader(
            (line.decode() for line in io.BytesIO(data)),
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=True,
        )
        start = 0
        while True:
            try:
                values, why = next(found), ""
            except StopIteration:
                return
            except csv.Error as error:
                values, why = [], str(error)
                if "field limit" in why:
                    raise self._too_long(line + start) from error
            yield _Row(start, found.line_num, values, _reason(why), "end of data" in why)
            start = found.line_num

    def row_pieces(self) -> Iterator[tuple[bytes, int, int, float, bool]]:
        """(bytes of whole rows behind the header, the line they begin on, how many, share of the file,
        whether every quote in them stands as RFC 4180 has it)."""
        for data, line, count, read, is_regular in self._cut():
            if line == 1:
                rest = data
                for _ in range(self.header_lines):
                    rest = rest.partition(b"\n")[2]
                yield rest, self.header_lines + 1, count - self.header_lines, read, is_regular
            else:
                yield data, line, count, read, is_regular

    def _cut(self) -> Iterator[tuple[bytes, int, int, float, bool]]:
        """The same with the header."""
        left, line = b"", 1
        for piece, read in utf8_pieces(self.path, self.encoding):
            left += piece
            if not piece and left and not left.endswith(b"\n"):
                left += b"\n"
            end, is_regular = self._regular_end(left)
            if not (end and is_regular) or not piece and end < len(left):
                end, is_regular = self._last_end(left, line, is_last=not piece), False
            whole = left[:end]
            if whole:
                count = whole.count(b"\n")
                yield whole, line, count, read, is_regular
                line += count
                left = left[end:]
            else:
                self._check_length(len(left) - len(piece), line)

    def _check_length(self, length: int, line: int) -> None:
        if length > LONGEST_ROW:
            raise self._too_long(line)

    def _too_long(self, line: int) -> BatonError:
        return cannot_read(
            self.path,
            f"the row in line {line:,} is over {LONGEST_ROW >> 20} MiB long: a quote is opened"
            ' and not closed; if quotes are mere characters, give quote = ""',
        )

    def _regular_end(self, data: bytes) -> tuple[int, bool]:
        """(behind the last line's end before which quotes are even in number, or 0; whether each of these
        opens a value, closes one, or is one of two inside, and all lines end alike)."""
        end = data.rfind(b"\n") + 1
        quote, delimiter = self.quote.encode(), self.delimiter.encode()
        is_regular = b"\r" not in data or data.count(b"\r") == data.count(b"\r\n")
        if not quote or quote not in data:
            return end, is_regular
        if len(quote) > 1 or len(delimiter) > 1:
            return end, False
        bytes_ = pa.UInt8Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
        letters = pl.Series(pl.from_arrow(bytes_))
        places = (letters == quote[0]).arg_true()
        while (count := places.search_sorted(end, "left")) % 2:
            end = data.rfind(b"\n", 0, end - 1) + 1
        opening, closing = places.head(count).gather_every(2), places.head(count).gather_every(2, 1)
        before, behind = letters.gather(opening.filter(opening > 0) - 1), letters.gather(closing + 1)
        around = [quote[0], delimiter[0], ord("\n")]
        is_regular &= bool(before.is_in(around).all() and behind.is_in([*around, ord("\r")]).all())
        return end, is_regular

    def _last_end(self, data: bytes, line: int, is_last: bool) -> int:
        """Behind the last whole row, whatever its quotes; 0 without one."""
        end = data.rfind(b"\n") + 1
        if is_last:
            return end
        lines = 0
        for row in self._rows(data[:end], line):
            if not row.is_unfinished:
                lines = row.stop
        return sum(map(len, islice(io.BytesIO(data), lines)))

    def part(
        self,
        data: bytes,
        first_line: int,
        lines: int,
        wanted: Sequence[str],
        read: float,
        is_regular: bool,
    ) -> Part:
        frame = self._regular(data, wanted) if is_regular else None
        if frame is None:
            return self._irregular(data, first_line, wanted, read)
        places = _Places(data, first_line, self.quote)
        return Part(numbered(frame), places, (), read, lines == frame.height and _is_plain(data, lines))

    def _regular(self, data: bytes, wanted: Sequence[str]) -> pl.DataFrame | None:
        """The rows by polars; None when one of them has another number of values, or is empty."""
        names = [f"c{place}" for place in range(len(self.header))]
        places = [self.places[name] for name in wanted]
        has_quotes = bool(self.quote) and self.quote.encode() in data
        last = len(names) - 1
        looked_at = sorted({*places, last}) if has_quotes else sorted(places)
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                columns=looked_at,
                separator=self.delimiter,
                quote_char=self.quote or None,
                infer_schema=False,
                raise_if_empty=False,
                glob=False,
            )
        except pl.exceptions.PolarsError:
            return None
        if all(frame[f"c{place}"].has_nulls() for place in looked_at) and _has_empty_line(data):
            return None
        if has_quotes:
            if frame[f"c{last}"].has_nulls():
                return None  # a row may be shorter than the header
        elif data.count(self.delimiter.encode()) != frame.height * last:
            return None
        return frame.select(
            pl.col(f"c{place}").alias(name) for place, name in zip(places, wanted, strict=True)
        )

    def _irregular(self, data: bytes, first_line: int, wanted: Sequence[str], read: float) -> Part:
        places = [self.places[name] for name in wanted]
        rows: list[list[str]] = []
        lines: list[tuple[int, int]] = []
        unread: list[Unread] = []
        texts = data.decode().split("\n")
        for row in self._rows(data, first_line):
            if row.why:
                # Each line by itself: nobody can say where the row ends.
                behind = f"cannot be separated from what line {first_line + row.start} leaves open"
                unread += [
                    Unread(first_line + n, texts[n].rstrip("\r"), row.why if n == row.start else behind)
                    for n in range(row.start, row.stop)
                    if texts[n].strip()
                ]
            elif len(row.values) == len(self.header):
                rows.append([row.values[place] for place in places])
                lines.append((row.start, row.stop))
            elif any(value.strip() for value in row.values):
                why = f"has {len(row.values)} values, and the header names {len(self.header)}"
                said = "\n".join(texts[row.start : row.stop]).rstrip("\r")
                unread.append(Unread(first_line + row.start, said, why))

        def where(wanted_rows: Sequence[int]) -> dict[int, tuple[int, str]]:
            return {
                r: (first_line + lines[r][0], "\n".join(texts[slice(*lines[r])]).rstrip("\r"))
                for r in wanted_rows
            }

        columns = [[row[place] for row in rows] for place in range(len(wanted))]
        frame = pl.DataFrame(
            {name: pl.Series(values, dtype=pl.String) for name, values in zip(wanted, columns, strict=True)}
        )
        return Part(numbered(frame), where, tuple(unread), read)


class _Places:
    """Where rows stand in the bytes of a regular part; looked up once, when the first is asked for."""

    def __init__(self, data: bytes, first_line: int, quote: str) -> None:
        self._data, self._first_line, self._quote = data, first_line, quote.encode()
        self._lines: list[bytes] = []
        self._starts: list[int] = []

    def __call__(self, rows: Sequence[int]) -> dict[int, tuple[int, str]]:
        if not self._lines and rows:
            self._lines = self._data.split(b"\n")
            if self._quote and self._quote in self._data:
                quotes = accumulate(line.count(self._quote) for line in self._lines)
                is_end = [count % 2 == 0 for count in quotes]
                self._starts = [0, *(number + 1 for number, ends in enumerate(is_end) if ends)]
            else:
                self._starts = list(range(len(self._lines) + 1))
        found = {}
        for row in rows:
            start, stop = self._starts[row], self._starts[row + 1]
            text = b"\n".join(self._lines[start:stop]).decode(errors="replace").rstrip("\r")
            found[row] = (self._first_line + start, text)
        return found


_CONTROLS = bytes({*range(32), 127} - set(b"\r\n"))


def _is_plain(data: bytes, rows: int) -> bool:
    """Whether no value holds anything but printable ASCII, where each row is one line."""
    return (
        data.isascii()
        and data.count(b"\r") in (0, rows)
        and len(data.translate(None, _CONTROLS)) == len(data)
    )


def _has_empty_line(data: bytes) -> bool:
    return b"\n\n" in data or b"\n\r\n" in data or data.startswith((b"\n", b"\r\n"))
