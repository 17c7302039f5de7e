"""What a killed process left in the write-ahead log of a transaction that it never committed is cut off.

When DuckDB 1.5 replays a log that ends within a transaction, it takes the transaction back, except for row
groups that were in the file already: those of an insert of 122,880 rows and more stay, as rows that nobody
committed (duckdb/duckdb, pull request 25931). A log that ends with a commit has none.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SUFFIXES = (".wal", ".wal.checkpoint", ".wal.recovery")
# The format, in DuckDB's serialisation: a version of the log, then entries of size, checksum and content.
_VERSION = bytes.fromhex("6400 62 6500 02 ffff")
_HEAD = struct.Struct("<QQ")
# Contents of entries after which nothing is open: a commit, and the start of what a checkpoint writes.
_COMMIT, _CHECKPOINT = bytes.fromhex("6400 64 ffff"), bytes.fromhex("6400 63")


def write_ahead_logs(file: Path) -> Iterator[Path]:
    """The write-ahead log of a warehouse, and those of a checkpoint or a recovery that was cut off."""
    for suffix in SUFFIXES:
        if (log := Path(f"{file}{suffix}")).exists():
            yield log


def cut_uncommitted(file: Path) -> None:
    """Cut each of the file's logs after its last commit, unless another process has the file open.

    Idempotent; loses nothing that was committed. A log of another format is left as it is. Not for a file
    that this process has open already: the system would let go of its lock.
    """
    torn = [log for log in write_ahead_logs(file) if _committed(log) is not None]
    if not torn:
        return
    with suppress(OSError), file.open("rb+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for log in torn:
            if (end := _committed(log)) is not None:  # again: its writer may have gone on until now
                os.truncate(log, end)


def _committed(log: Path) -> int | None:
    """Where the last commit of a log ends; None when nothing lies behind it, or the log is not understood."""
    with log.open("rb") as content:
        if content.read(len(_VERSION)) != _VERSION:
            return None
        length = os.fstat(content.fileno()).st_size
        at = end = len(_VERSION)
        while at + _HEAD.size <= length:
            size, _ = _HEAD.unpack(content.read(_HEAD.size))
            at += _HEAD.size + size
            begins = content.read(min(size, len(_COMMIT)))
            if at <= length and (begins == _COMMIT or begins.startswith(_CHECKPOINT)):
                end = at
            content.seek(at)
    return end if end < length else None
