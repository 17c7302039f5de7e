"""One statement of somebody with a role: who asks, what it may cost, and what is noted of it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import duckdb
import pyarrow as pa

from schemas.errors import BatonError
from warehouse.memory import limit_bytes
from warehouse.role_database import RoleDatabase

MOST_ROWS = 5_000_000
MOST_BYTES = 512 << 20
# DuckDB limits the memory of a process, not of a statement: those of roles end before it is short of it.
MOST_OF_MEMORY = 0.75
_MEMORY = """
select coalesce(sum(memory_usage_bytes + temporary_storage_bytes), 0)::bigint
from duckdb_memory() where tag <> 'BASE_TABLE'
"""


@dataclass(frozen=True)
class Reader:
    """Who asks, and as what."""

    name: str
    role: str


@dataclass(frozen=True)
class Asked:
    """What is noted of a statement, without the data. `outcome`: answered, refused, failed, late, damaged,
    too_large (rows), large (memory) or gone (the client)."""

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
        self._database, self._readers = database, readers
        self._shape = database.shape_cursor()
        self._started = time.monotonic()
        self._rows = self._bytes = 0
        self._memory = database.cursor()
        [(limit,)] = self._memory.execute("select current_setting('memory_limit')").fetchall()
        self._limit = limit_bytes(str(limit))

    def check(self, statement: str) -> None:
        """Raise BatonError unless the role may ask it."""
        self.views = self._database.judge(self._shape, statement)

    def count(self, batch: pa.RecordBatch) -> bool:
        """Whether the answer may have these rows too."""
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        return self._rows <= MOST_ROWS and self._bytes <= MOST_BYTES

    def is_short_of_memory(self) -> bool:
        """Whether DuckDB has used so much that this statement must end."""
        with suppress(duckdb.Error):  # the statement has ended meanwhile, or the warehouse was closed
            [(used,)] = self._memory.execute(_MEMORY).fetchall()
            return bool(used > self._limit * MOST_OF_MEMORY)
        return False

    def interrupt(self) -> None:
        """End what it evaluates, whether it is being bound or run."""
        self._shape.interrupt()
        self.cursor.interrupt()

    def end(self, statement: str, outcome: str) -> None:
        """Note it, and close the cursors."""
        milliseconds = round((time.monotonic() - self._started) * 1000)
        self._readers.note(self.reader, Asked(statement, self.views, self._rows, milliseconds, outcome))
        for cursor in (self.cursor, self._shape, self._memory):
            cursor.close()


def too_large(statement: str) -> BatonError:
    """The error for an answer that has more rows or bytes than one may have."""
    return BatonError(
        "The answer is too large",
        where=statement[:200],
        why=f"it has more than {MOST_ROWS:,} rows or {MOST_BYTES >> 20} MiB",
        next_command="baton snapshot FILE.duckdb   (whole views; or ask for less: limit, where, group by)",
    )
