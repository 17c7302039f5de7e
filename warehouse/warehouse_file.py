"""The warehouse's file as a whole: read it to its end, set it aside, copy it. Deletes nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from schemas.errors import BatonError, ExitCode, quoted
from warehouse.file_errors import cannot_open, is_damage
from warehouse.whole_file import make_lasting
from warehouse.write_ahead_log import cut_uncommitted, write_ahead_logs


@dataclass(frozen=True)
class Repair:
    """What was damaged, and where it is now. `set_aside` is empty when everything was sound.

    is_file_kept: only the write-ahead log was damaged. The file stands at its last checkpoint, with the
    offsets it had then.
    """

    damage: str
    set_aside: tuple[Path, ...]
    is_file_kept: bool


def repair(path: Path) -> Repair:
    """Set aside, under new names, what cannot be read. Nobody may have the file open for writing.

    The write-ahead log alone if the file can be read without it. Raises BatonError when the file is held or
    out of reach.
    """
    damage = _damage(path)
    if damage is None:
        return Repair("", (), is_file_kept=True)
    to = _free_name(path, "damaged")
    moved = _move_write_ahead_logs(path, to)
    is_file_kept = bool(moved) and _damage(path) is None
    if not is_file_kept:
        moved.append(_move(path, to))
    return Repair(damage, tuple(moved), is_file_kept)


def set_aside(path: Path, why: str) -> list[Path]:
    """Give the file and its write-ahead log a new name that says why; the file's own comes last."""
    to = _free_name(path, why)
    return [*_move_write_ahead_logs(path, to), _move(path, to)]


def back_up(path: Path, target: Path) -> None:
    """Copy the warehouse into one new file, and read the copy to its end. Nobody may be writing.

    Raises BatonError when the warehouse is held or damaged, or when `target` exists or cannot be written.
    """
    if target.exists():
        raise BatonError(
            "The backup is not written over another file",
            where=str(target),
            why="this file exists",
            next_command="baton backup FILE   (a new name)",
            exit_code=ExitCode.USAGE,
        )
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        _copy(path, partial)
        cut_uncommitted(partial)
        with duckdb.connect(str(partial)) as copied:
            copied.execute("checkpoint")
        _read_everything(partial)
        make_lasting(partial)
        partial.rename(target)
        make_lasting(target.parent)
    except OSError as error:
        raise BatonError(
            "The backup cannot be written",
            where=str(target),
            why=error.strerror or str(error),
            next_command=f"df -h {quoted(target.parent)}   (or choose another place: baton backup FILE)",
        ) from error
    except duckdb.Error as error:
        raise cannot_open(path, error) from error
    finally:
        for file in (partial, Path(f"{partial}.wal")):
            file.unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    """Copy the file with its write-ahead log while no writer can open it."""
    with duckdb.connect(str(path), read_only=True):
        # The log first: the system lets go of a lock once its file was opened a second time and closed.
        for file in (*write_ahead_logs(path), path):
            shutil.copyfile(file, f"{to}{file.name.removeprefix(path.name)}")


def _damage(path: Path) -> str | None:
    """What is wrong with the bytes of the file or its write-ahead log; None when all of it can be read."""
    try:
        _read_everything(path)
    except duckdb.Error as error:
        # A file that opens for nobody, for a reason that DuckDB did not foresee, is damaged too.
        if is_damage(error) or isinstance(error, (duckdb.InternalException, duckdb.FatalException)):
            return str(error).splitlines()[0]
        raise cannot_open(path, error) from error
    return None


def _read_everything(path: Path) -> None:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"select bit_xor(hash(everything)) from {table} as everything").fetchall()


def _move_write_ahead_logs(path: Path, to: Path) -> list[Path]:
    """They go first: without them the file is older, without their file they are nothing."""
    return [_move(wal, Path(f"{to}{wal.name.removeprefix(path.name)}")) for wal in write_ahead_logs(path)]


def _free_name(path: Path, why: str) -> Path:
    name = f"{path}.{why}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (Path(name if number == 1 else f"{name}-{number}") for number in range(1, 1_000))
    return next(free for free in names if not free.exists() and not Path(f"{free}.wal").exists())


def _move(file: Path, to: Path) -> Path:
    file.rename(to)
    return to
