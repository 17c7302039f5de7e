"""One batch, one transaction: everything of it is there afterwards, or nothing, whatever fails and when."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from aiokafka import ConsumerRecord

from projections.playbook import read_playbook
from streams.worker.records import Fetched, to_batch
from tests.given import as_bytes, in_memory
from warehouse.commit import Batch, Committer
from warehouse.content_hash import RecordCounts, record_counts
from warehouse.measurement import Measurement
from warehouse.read_models import ReadModels
from warehouse.warehouse import Warehouse

OFFER = {
    "type": "HandoffOffered",
    "occurred_at": "2026-03-02T09:00:00Z",
    "recorded_at": "2026-03-02T09:00:01Z",
    "source": "hubspot",
    "handoff_id": "handoff-1",
    "lead_id": "lead-1",
    "from_team": "marketing",
    "to_team": "sales_development",
}
ACCEPTANCE = {
    "type": "HandoffAccepted",
    "occurred_at": "2026-03-02T09:30:00Z",
    "recorded_at": "2026-03-02T09:30:01Z",
    "source": "salesforce",
    "handoff_id": "handoff-1",
    "lead_id": "lead-1",
    "owner": "sdr-anna",
}


def batch(offset: int = 0) -> Batch:
    """An offer, its acceptance, and something nobody can read; from this offset on."""
    offer, acceptance = as_bytes([OFFER, ACCEPTANCE])
    fetched = Fetched()
    for topic, values in (("funnel.marketing", [offer, b"?"]), ("funnel.sales", [acceptance])):
        places = range(offset, offset + len(values))
        records = [
            ConsumerRecord(topic, 0, at, 0, 0, b"k", value, None, 1, len(value), ())
            for at, value in zip(places, values, strict=True)
        ]
        fetched.add(topic, 0, records)
    return to_batch(fetched)


class Failing:
    """A connection whose n-th statement fails, before it ran or (is_done) after."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, at: int, error: BaseException, is_done: bool = False
    ) -> None:
        self.connection = connection
        self.at = at
        self.error = error
        self.is_done = is_done
        self.statements: list[str] = []

    def execute(self, statement: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self.statements.append(statement)
        if len(self.statements) == self.at:
            if self.is_done:
                self.connection.execute(statement, *values)
            raise self.error
        return self.connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def _statements_of_a_commit() -> list[str]:
    with in_memory(read_playbook()) as warehouse:
        counting = Failing(warehouse.connection, 0, OSError())
        Committer(counting).commit(batch())  # type: ignore[arg-type]
        return counting.statements


STATEMENTS = _statements_of_a_commit()


def rows_of(path: Path) -> dict[str, int]:
    """Rows of each table that batches fill, if it holds any, as the file says once it is opened again."""
    with duckdb.connect(str(path)) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name <> 'playbook' and table_name <> 'laid_out'"
        ).fetchall()
        counts = {t: connection.execute(f"select count(*) from {t}").fetchall()[0][0] for (t,) in tables}
    return {table: count for table, count in counts.items() if count}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "baton.duckdb"
    Warehouse.open(path, read_playbook()).close()
    return path


EVERYTHING = {
    "log.handoff_offered": 1,
    "log.handoff_accepted": 1,
    "warehouse.failed_event": 1,
    "warehouse.outbox": 1,
    "warehouse.next_offset": 2,
}


@pytest.mark.parametrize(
    "error", [duckdb.IOException("disk full"), KeyboardInterrupt()], ids=["disk full", "Ctrl-C"]
)
@pytest.mark.parametrize(
    "at",
    range(1, len(STATEMENTS) + 1),
    ids=[f"{n} {' '.join(s.split()[:3])}" for n, s in enumerate(STATEMENTS, 1)],
)
def test_an_error_at_any_statement_leaves_nothing_behind(
    at: int, error: BaseException, tmp_path: Path, empty: Path
) -> None:
    path = tmp_path / "baton.duckdb"
    shutil.copy(empty, path)
    with duckdb.connect(str(path)) as connection, pytest.raises(type(error)):
        Committer(Failing(connection, at, error)).commit(batch())  # type: ignore[arg-type]
    assert rows_of(path) == {}

    with duckdb.connect(str(path)) as connection:
        Committer(connection).commit(batch())
    assert rows_of(path) == EVERYTHING


def test_an_error_that_comes_after_the_commit_leaves_everything(tmp_path: Path, empty: Path) -> None:
    path = tmp_path / "baton.duckdb"
    shutil.copy(empty, path)
    with duckdb.connect(str(path)) as connection, pytest.raises(OSError):
        Committer(Failing(connection, len(STATEMENTS), OSError(), is_done=True)).commit(batch())  # type: ignore[arg-type]
    assert rows_of(path) == EVERYTHING


def test_the_same_connection_can_commit_after_a_failure() -> None:
    with in_memory(read_playbook()) as warehouse:
        cursor = warehouse.connection.cursor()
        with pytest.raises(OSError):
            Committer(Failing(cursor, len(STATEMENTS), OSError("no space"))).commit(batch())  # type: ignore[arg-type]
        Committer(cursor).commit(batch())
        assert record_counts(warehouse.connection) == RecordCounts(2, 1, 0, 3)


class Full:
    """A connection whose disk is full at the commit, which is where DuckDB then has rolled back already."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def execute(self, statement: str, *values: Any) -> duckdb.DuckDBPyConnection:
        if statement == "commit":
            self.connection.execute("rollback")
            raise duckdb.IOException("no space left")
        return self.connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda connection: Committer(connection).commit(batch()), id="a batch"),
        pytest.param(lambda connection: Measurement(ReadModels(connection)).measure(), id="measuring"),
    ],
)
def test_a_failed_commit_is_told_by_its_own_error(work: Callable[[Any], object]) -> None:
    """And not by the one of the rollback after it, which no longer finds a transaction."""
    with in_memory(read_playbook()) as warehouse:
        with pytest.raises(duckdb.IOException, match="no space left"):
            work(Full(warehouse.connection.cursor()))
        assert record_counts(warehouse.connection) == RecordCounts(0, 0, 0, 0)


def test_offsets_move_on_and_records_are_added_up() -> None:
    with in_memory(read_playbook()) as warehouse:
        committer = warehouse.committer()
        committer.commit(batch())
        committer.commit(batch(offset=7))

        assert warehouse.next_offsets() == {("funnel.marketing", 0): 9, ("funnel.sales", 0): 8}
        assert record_counts(warehouse.connection) == RecordCounts(good=2, failed=2, duplicate=2, total=6)


@pytest.mark.parametrize(
    "timestamp", [-1, 2**63 - 1, 253_402_300_800_000], ids=["none", "the end", "year 10000"]
)
def test_a_record_with_an_absurd_kafka_timestamp_fails_like_any_other(timestamp: int) -> None:
    fetched = Fetched()
    fetched.add(
        "funnel.sales", 0, [ConsumerRecord("funnel.sales", 0, 0, timestamp, 0, b"k", b"?", None, 1, 1, ())]
    )

    failed = to_batch(fetched).failed

    assert failed["kafka_at"].to_pylist() == [None] and failed["value"].to_pylist() == [b"?"]


def test_a_batch_of_nothing_changes_nothing() -> None:
    with in_memory(read_playbook()) as warehouse:
        warehouse.committer().commit(Batch({}))
        assert record_counts(warehouse.connection) == RecordCounts(0, 0, 0, 0)
