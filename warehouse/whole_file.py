"""A file that a command writes: under its name stands a whole one, or none, or the earlier one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from schemas.errors import BatonError, quoted, unwritable
from warehouse.file_errors import is_damage


@contextmanager
def whole_file(target: Path, again: str, *, mode: int | None = None) -> Iterator[Path]:
    """A path to write to. At the end that file takes the target's place at once, and lasts; after an error it
    is gone. A device or a pipe is written to itself.

    again: the command with another place, for the error. mode: the file's permissions; default: those of the
    earlier one, or what the system gives. Raises BatonError when it cannot be written.
    """
    try:
        if target.exists() and not target.is_file():
            yield target
            return
        place = target.resolve()  # what a link leads to is written, and the link stays
        partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
        try:
            if mode is None and place.exists():
                mode = place.stat().st_mode & 0o777
            partial.touch(0o666 if mode is None else mode)
            yield partial
            if mode is not None:
                partial.chmod(mode)
            make_lasting(partial)
            partial.replace(place)
            make_lasting(place.parent)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(str(target), error, f"df -h {quoted(target.parent)}", again) from error
    except duckdb.IOException as error:  # DuckDB writes the file
        if is_damage(error):  # of what it reads
            raise
        raise BatonError(
            "The file cannot be written",
            where=str(target),
            why=str(error).splitlines()[0],
            next_command=f"df -h {quoted(target.parent)}   (or choose another place: {again})",
        ) from error


def make_lasting(path: Path) -> None:
    """Make what is written there outlast a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every system can do it for a folder
            os.fsync(handle)
    finally:
        os.close(handle)
