"""One statement of somebody with a role: who asks, what it may cost, and what is noted of it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from schemas.errors import BatonError
from warehouse.role_database import RoleDatabase

MOST_ROWS = 5_000_000
MOST_BYTES = 512 << 20
# DuckDB limits the memory of a process, not of a statement: statements of roles end before the process is
# short of it. Values of functions are outside DuckDB's count, so the process's own size is looked at too.
MOST_OF_MEMORY = 0.75
MOST_BESIDE = 512 << 20
_MEMORY = """
select coalesce(sum(memory_usage_bytes + temporary_storage_bytes), 0)::bigint
from duckdb_memory() where tag <> 'BASE_TABLE'
"""
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@dataclass(frozen=True)
class Reader:
    """Who asks, and as what."""

    name: str
    role: str


@dataclass(frozen=True)
class Asked:
    """What is noted of a statement, without the data. `outcome`: answered, refused, failed, late, damaged,
    too_large, memory or gone (the client)."""

    statement: str
    views: tuple[str, ...]
    rows: int
    milliseconds: int
    outcome: str


class Readers(Protocol):
    """Who may ask. Both methods are called from any thread."""

    def enter(self, token: str) -> Reader | None:
        """Whose token this is; None when it is nobody's, revoked or expired."""

    def note(self, reader: Reader, asked: Asked) -> None:
        """A statement has ended."""


class RoleStatement:
    """Its two cursors, in the role's database and in its shape, and its limits."""

    def __init__(self, database: RoleDatabase, reader: Reader, readers: Readers) -> None:
        self.cursor = database.cursor()
        self.reader = reader
        self.views: tuple[str, ...] = ()
        self.outcome = "gone"
        self._database, self._readers = database, readers
        self._shape = database.shape_cursor()
        self._started = time.monotonic()
        self._rows = self._bytes = 0
        self._memory = database.cursor()
        [(limit,)] = self._memory.execute("select current_setting('memory_limit')").fetchall()
        self._limit = _bytes_of(str(limit))

    def check(self, statement: str) -> None:
        """Raise BatonError unless the role may ask it."""
        self.views = self._database.judge(self._shape, statement)

    def count(self, batch: pa.RecordBatch) -> bool:
        """Whether the answer may have these rows too."""
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        return self._rows <= MOST_ROWS and self._bytes <= MOST_BYTES

    def is_short_of_memory(self) -> bool:
        """Whether the process uses so much that this statement must end."""
        if _resident_bytes() > self._limit + MOST_BESIDE:
            return True
        with suppress(duckdb.ConnectionException):  # the warehouse was closed meanwhile
            [(used,)] = self._memory.execute(_MEMORY).fetchall()
            return bool(used > self._limit * MOST_OF_MEMORY)
        return False

    def interrupt(self) -> None:
        """End what it evaluates, whether it is being bound or run."""
        self._shape.interrupt()
        self.cursor.interrupt()

    def end(self, statement: str) -> None:
        """Note it, and close the cursors."""
        milliseconds = round((time.monotonic() - self._started) * 1000)
        self._readers.note(self.reader, Asked(statement, self.views, self._rows, milliseconds, self.outcome))
        for cursor in (self.cursor, self._shape, self._memory):
            cursor.close()


TOO_LARGE = f"it has more than {MOST_ROWS:,} rows or {MOST_BYTES >> 20} MiB"
SHORT_OF_MEMORY = "it needs more memory than there is for statements"


def ended(outcome: str, statement: str) -> BatonError:
    """The error for a statement that a limit has ended."""
    return BatonError(
        "The answer is too large" if outcome == "too_large" else "The statement was ended",
        where=statement[:200],
        why=TOO_LARGE if outcome == "too_large" else SHORT_OF_MEMORY,
        next_command="baton snapshot FILE.duckdb   (whole views; or ask for less: limit, where, group by)",
    )


def _resident_bytes() -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0  # another system says it elsewhere; DuckDB's own count remains


def _bytes_of(limit: str) -> int:
    number, unit = limit.split()
    return int(float(number) * _UNITS[unit])
