"""Why a warehouse file cannot be opened or read: another process holds it, or it is damaged."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from schemas.errors import BatonError, ExitCode

HELD = "The warehouse is in use by another process"
_HELD = re.compile(r"Could not set lock on file|Conflicting lock is held")
_HOLDER = re.compile(r"\(PID (\d+)\)")
# Not in any message: a statement that fails may quote any text.
_DAMAGED = re.compile(
    r"(IO|INTERNAL|FATAL|Serialization) Error: .*"
    r"(corrupt|not a valid DuckDB database file|Could not read enough bytes|Failure while replaying WAL)",
    re.IGNORECASE,
)
# Replaying needs memory and disk; without them the file is as good as before.
_NO_ROOM = re.compile(r"No space left|Out of Memory|File too large", re.IGNORECASE)


def is_held(error: duckdb.Error) -> bool:
    """Whether another process has the file open, as DuckDB says it."""
    return _HELD.search(str(error)) is not None


def is_damage(error: Exception) -> bool:
    """Whether the bytes of the file or of its WAL are not those that DuckDB wrote."""
    return _DAMAGED.match(str(error)) is not None and _NO_ROOM.search(str(error)) is None


def cannot_open(path: Path | None, error: duckdb.Error) -> BatonError:
    """The error for a file that does not open."""
    why = str(error).splitlines()[0]
    if is_held(error):
        holder = _HOLDER.search(why)
        return BatonError(
            HELD,
            where=str(path),
            why=why,
            next_command=f"ps -fp {holder[1] if holder else 'PID'}   (baton down stops a worker;"
            " a command ends by itself)",
        )
    if is_damage(error):
        return damaged(str(path), why)
    return BatonError(
        "The warehouse cannot be opened",
        where=str(path),
        why=why,
        next_command="baton doctor   (free disk space first if the disk is full; the file is left as it is)",
    )


def damaged(where: str, why: str) -> BatonError:
    """The error for a file whose bytes are not what they should be."""
    return BatonError(
        "The warehouse is damaged",
        where=where,
        why=why.splitlines()[0],
        next_command="baton down && baton repair   (sets it aside; `baton up` reads the log again)",
        exit_code=ExitCode.DATA_PROBLEMS,
    )
