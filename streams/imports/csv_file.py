"""CSV files, in parts: read by polars where a part is regular, row by row where it is not.

A part ends at the end of a row, which is a line's end outside quotes. Rows are counted by polars; where one
stands is looked up when somebody asks, in the bytes of its part.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import polars as pl

from streams.imports.part import (
    LONGEST_ROW,
    Part,
    Unread,
    cannot_read,
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
    if missing := [name for name in wanted if name not in table.header]:
        raise no_such_columns(path, missing, table.header, file)
    for data, first_line, lines, read in table.row_pieces():
        if data and not data.isspace():
            yield table.part(data, first_line, lines, wanted, read)


class _Csv:
    """One file: its dialect, its header, and its bytes cut at the ends of rows."""

    def __init__(self, path: Path, file: FileRule) -> None:
        self.path = path
        self.encoding = file.encoding
        self.delimiter = file.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        self.quote = file.quote
        self.header, self.header_lines = self._read_header()

    def _read_header(self) -> tuple[list[str], int]:
        for data, _, _ in self._cut(is_first_row_only=True):
            text = data.decode()
            names = [name.strip() for name in next(self._rows(text), [])]
            if not any(names):
                break
            twice = sorted({name for name in names if name and names.count(name) > 1})
            if twice:
                raise cannot_read(self.path, f"its header names {twice[0]!r} twice")
            return [name or f"column {place}" for place, name in enumerate(names, 1)], data.count(b"\n")
        raise cannot_read(self.path, "it has no header")

    def _rows(self, text: str) -> csv.Reader:  # type: ignore[name-defined]
        return csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
        )

    def row_pieces(self) -> Iterator[tuple[bytes, int, int, float]]:
        """(bytes of whole rows behind the header, the line they begin on, how many, share of the file)."""
        line = 1
        for number, (data, count, read) in enumerate(self._cut()):
            if number == 0:
                rest = data
                for _ in range(self.header_lines):
                    rest = rest.partition(b"\n")[2]
                yield rest, self.header_lines + 1, count - self.header_lines, read
            else:
                yield data, line, count, read
            line += count

    def _cut(self, is_first_row_only: bool = False) -> Iterator[tuple[bytes, int, float]]:
        """(bytes of whole rows, lines in them, share of the file)."""
        left = b""
        for piece, read in utf8_pieces(self.path, self.encoding):
            left += piece
            end = self._first_end(left) if is_first_row_only else self._last_end(left)
            if not piece:
                break
            if end:
                yield left[:end], left.count(b"\n", 0, end), read
                if is_first_row_only:
                    return
                left = left[end:]
            elif len(left) > LONGEST_ROW + len(piece):
                raise cannot_read(
                    self.path,
                    f"a row is over {LONGEST_ROW >> 20} MiB long: a quote is opened and not closed; if quotes"
                    ' are mere characters, give quote = ""',
                )
        if left:
            whole = left if left.endswith(b"\n") else left + b"\n"
            yield whole, whole.count(b"\n"), 1.0

    def _last_end(self, data: bytes) -> int:
        """Behind the last line's end that is outside quotes; 0 without one."""
        end = data.rfind(b"\n") + 1
        if not self.quote or data.find(self.quote.encode()) < 0:
            return end
        quote = self.quote.encode()
        count = data.count(quote, 0, end)
        while end and count % 2:
            before = data.rfind(b"\n", 0, end - 1) + 1
            count -= data.count(quote, before, end)
            end = before
        return end

    def _first_end(self, data: bytes) -> int:
        end = data.find(b"\n") + 1
        while end and self.quote and data.count(self.quote.encode(), 0, end) % 2:
            end = data.find(b"\n", end) + 1
        return end

    def part(self, data: bytes, first_line: int, lines: int, wanted: Sequence[str], read: float) -> Part:
        frame = self._regular(data, wanted)
        if frame is None:
            return self._irregular(data, first_line, wanted, read)
        places = _Places(data, first_line, self.quote)
        return Part(numbered(frame), places, (), read, lines == frame.height and _is_plain(data, lines))

    def _regular(self, data: bytes, wanted: Sequence[str]) -> pl.DataFrame | None:
        """The rows by polars; None when one of them has another number of values, or is empty."""
        names = [f"c{place}" for place in range(len(self.header))]
        places = [self.header.index(name) for name in wanted]
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
        text = data.decode()
        places = [self.header.index(name) for name in wanted]
        rows: list[list[str]] = []
        lines: list[tuple[int, int]] = []
        unread: list[Unread] = []
        found = self._rows(text)
        texts = text.split("\n")
        before = 0
        while True:
            try:
                row = next(found)
            except StopIteration:
                break
            except csv.Error as error:
                unread.append(Unread(first_line + before, texts[before][:LONGEST_ROW], f"is no row: {error}"))
                before = found.line_num
                continue
            if row and len(row) == len(self.header):
                rows.append([row[place] for place in places])
                lines.append((before, found.line_num))
            elif row and any(value.strip() for value in row):
                said = "\n".join(texts[before : found.line_num])
                why = f"has {len(row)} values, and the header names {len(self.header)}"
                unread.append(Unread(first_line + before, said.rstrip("\r"), why))
            before = found.line_num

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
