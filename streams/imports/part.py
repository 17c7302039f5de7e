"""A part of a file: as many rows as are looked at together, and where each of them stands."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from schemas.codec import ROW
from schemas.errors import BatonError, ExitCode
from streams.mapping.language import FileRule
from streams.queries.values import printable

PART_BYTES = 16 << 20
LONGEST_ROW = 8 << 20
# As many as Excel has: a wider file is one whose delimiter or line's end is another.
MOST_COLUMNS = 16_384
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".xlsx": "xlsx", ".xls": "xlsx",
}  # fmt: skip

# For places of rows in a part: the line each begins on, and its own text.
Places = Callable[[Sequence[int]], dict[int, tuple[int, str]]]


@dataclass(frozen=True)
class Unread:
    """A row that cannot be read as a row: where it begins, its text, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True)
class Part:
    """Rows of a file with the columns that are wanted and `_row`; places: where some of them stand. `read`:
    the share of the file that is read with this part. `is_plain`: no text holds anything but printable
    ASCII."""

    frame: pl.DataFrame
    places: Places
    unread: tuple[Unread, ...] = ()
    read: float = 1.0
    is_plain: bool = False


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `_row`, the number of each row in it."""
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(ROW))


def format_of(path: Path, file: FileRule) -> str:
    """What a file is. Raises BatonError when neither the mapping nor its name says."""
    found = file.format or FORMATS.get(path.suffix.lower(), "")
    if not found:
        raise cannot_read(path, f"nothing says what it is; give `format` in [file.{file.name}]")
    return found


_DRAFT = "baton import FILE... --suggest   (drafts a mapping for files)"


def existing(path: Path) -> Path:
    """The path, when it is a file. Raises BatonError."""
    if path.is_dir():
        files = "./*.csv" if path == Path() else f"{pasteable(path)}/*.csv"
        raise cannot_read(path, "it is a folder; name the files in it", f"baton import {files} --suggest")
    if not path.is_file():
        raise cannot_read(path, "there is no such file")
    return path


def pasteable(path: Path) -> str:
    """The path as a shell takes it for one word."""
    return shlex.quote(str(path))


def cannot_read(path: Path, why: str, next_command: str = _DRAFT) -> BatonError:
    return BatonError(
        "The file cannot be read",
        where=printable(str(path)),
        why=why,
        next_command=next_command,
        exit_code=ExitCode.USAGE,
    )


def check_width(path: Path, columns: int) -> None:
    """Raises BatonError for a table with more columns than are looked at."""
    if columns > MOST_COLUMNS:
        why = f"it has {columns:,} columns, and at most {MOST_COLUMNS:,} are read; is `delimiter` right?"
        raise cannot_read(path, why)


def no_such_columns(path: Path, missing: Sequence[str], present: Sequence[str], file: FileRule) -> BatonError:
    listed = ", ".join(map(repr, present[:30]))
    hint = ""
    if len(present) == 1 and any(mark in present[0] for mark in ",;\t|"):
        hint = f"; is its delimiter another one? give `delimiter` in [file.{file.name}]"
    return BatonError(
        "The file does not have a column that the mapping names",
        where=printable(str(path)),
        why=f"there is no {', '.join(map(repr, missing))} in it; there are {listed}{hint}",
        next_command=f"less {pasteable(path)}   (then change the mapping, or give the right file)",
        exit_code=ExitCode.CONFIGURATION,
    )


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def utf8_pieces(path: Path, encoding: str) -> Iterator[tuple[bytes, float]]:
    """(bytes in UTF-8, share of the file read with them). A byte order mark decides the encoding, and is left
    out. Raises BatonError where the bytes are not in the encoding."""
    size = max(1, path.stat().st_size)
    with path.open("rb") as stream:
        first = stream.read(4)
        mark, encoding = next(((m, e) for m, e in _MARKS if first.startswith(m)), (b"", encoding))
        stream.seek(len(mark))
        is_utf8 = codecs.lookup(encoding).name in ("utf-8", "ascii")
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        done = len(mark)
        while True:
            piece = stream.read(PART_BYTES)
            done += len(piece)
            try:
                # A valid piece of UTF-8 stays the bytes that it is.
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = done - len(piece) + error.start
                why = f"byte {at:,} is not {encoding} ({error.reason}); give `encoding`, such as windows-1252"
                raise cannot_read(path, why) from error
            yield (piece if is_utf8 else text.encode()), min(1.0, done / size)
            if not piece:
                return
