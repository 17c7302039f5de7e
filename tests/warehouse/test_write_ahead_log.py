"""A log that a kill cut off within a transaction: nothing of the transaction is there, all before it is."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from warehouse.write_ahead_log import cut_uncommitted, write_ahead_logs

ROWS = 130_000  # more than a row group, which goes to the file before its commit
CUTS = 120
CUT = "import sys, pathlib, warehouse.write_ahead_log as log; log.cut_uncommitted(pathlib.Path(sys.argv[1]))"


def generation(file: Path) -> tuple[int, int, int]:
    """Rows, and the least and the largest generation."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute("select count(*), min(g), max(g) from t").fetchall()[0]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose table was replaced three times since its checkpoint."""
    file = tmp_path_factory.mktemp("logged") / "w.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("set checkpoint_threshold = '1 GB'")
        connection.execute(f"create table t as select 0 as g, i, 'row ' || i as r from range({ROWS}) as n(i)")
        connection.execute("checkpoint")
        for number in (1, 2, 3):
            connection.execute("begin; delete from t")
            connection.execute(f"insert into t select {number}, i, 'row ' || i from range({ROWS}) as n(i)")
            connection.execute("commit")
        for path in (file, Path(f"{file}.wal")):
            shutil.copy(path, path.with_name(f"kept.{path.name.removeprefix('w.')}"))
    return file.with_name("kept.duckdb")


def cut_copies(logged: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """(length of its log, file) of copies whose log is cut anywhere, and last one whose log is whole."""
    log = Path(f"{logged}.wal").read_bytes()
    lengths = {len(log) * part // CUTS for part in range(CUTS)} | set(range(len(log) - 40, len(log) + 1))
    file = folder / "cut.duckdb"
    for length in sorted(lengths):
        shutil.copy(logged, file)
        Path(f"{file}.wal").write_bytes(log[:length])
        yield length, file


def test_a_transaction_that_was_cut_off_leaves_nothing(logged: Path, tmp_path: Path) -> None:
    before, as_found = 0, []
    for length, file in cut_copies(logged, tmp_path):
        as_found.append(generation(file)[0])
        cut_uncommitted(file)
        rows, least, largest = generation(file)
        assert rows == ROWS and least == largest, f"{length} bytes of the log"
        assert largest >= before, "nothing committed is lost"
        before = largest
    assert before == 3, "the whole log is replayed"
    assert max(as_found) > ROWS, "DuckDB takes it all back by itself: this module is not needed any more"


def test_a_log_that_ends_with_a_commit_or_of_another_format_stays_as_it_is(
    logged: Path, tmp_path: Path
) -> None:
    for path in (logged, Path(f"{logged}.wal")):
        shutil.copy(path, tmp_path)
    [log] = write_ahead_logs(tmp_path / logged.name)
    for content in (log.read_bytes(), b"", b"\x64\x00\x62", b"another format" * 10):
        log.write_bytes(content)
        cut_uncommitted(tmp_path / logged.name)
        assert log.read_bytes() == content


def test_a_file_that_another_process_has_open_is_left_alone(logged: Path, tmp_path: Path) -> None:
    file = tmp_path / logged.name
    shutil.copy(logged, file)
    log = Path(f"{file}.wal")
    log.write_bytes(Path(f"{logged}.wal").read_bytes()[:-3])
    length = log.stat().st_size
    with file.open("rb+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        cut = [sys.executable, "-c", CUT, str(file)]
        subprocess.run(cut, check=True)
        assert log.stat().st_size == length
    subprocess.run(cut, check=True)
    assert log.stat().st_size < length
