"""One batch is one transaction: whatever fails, and wherever, all of it is in the file or none of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import polars as pl
import pytest

from projections.playbook import read_playbook
from projections.projection import states
from schemas.catalogue import CATALOGUE
from schemas.codec import ROW, decode
from schemas.errors import BatonError
from tests.given import as_bytes
from warehouse.commit import Batch, Committer, failed_table
from warehouse.content_hash import books, hashes
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOPIC = "funnel.marketing"


class Failed(Exception):
    """What the injected fault raises: no error of DuckDB, so nothing may mistake it for one."""


class Failing:
    """A real connection that fails before its n-th statement. It counts from 0; rolling back always works."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, fails_at: int | None, error: BaseException
    ) -> None:
        self.connection = connection
        self.fails_at = fails_at
        self.error = error
        self.statements: list[str] = []

    def execute(self, statement: str, *parameters: object) -> duckdb.DuckDBPyConnection:
        if statement != "rollback":
            self.statements.append(" ".join(statement.split()))
            if len(self.statements) - 1 == self.fails_at:
                raise self.error
        return self.connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def committer(connection: duckdb.DuckDBPyConnection | Failing) -> Committer:
    return Committer(cast(duckdb.DuckDBPyConnection, connection))


def lived(handoff: str, minute: int) -> list[Mapping[str, Any]]:
    """One handoff that touches every state: offered, accepted, tried, and a deal of it."""
    same = {"source": "test", "handoff_id": handoff, "lead_id": f"lead of {handoff}"}
    said: Sequence[tuple[str, Mapping[str, Any]]] = (
        ("HandoffOffered", {"from_team": "marketing", "to_team": "sales_development", "reason": "qualified"}),
        ("HandoffAccepted", {"owner": "sdr-anna"}),
        ("ContactAttempted", {"owner": "sdr-anna", "channel": "call", "is_automated": False}),
        (
            "OpportunityOpened",
            {"owner": "ae-jack", "opportunity_id": f"deal of {handoff}", "account_id": "acme"},
        ),
    )
    return [
        {"type": kind, **same, **more, "occurred_at": (MONDAY + timedelta(minutes=minute + i)).isoformat(),
         "recorded_at": MONDAY.isoformat()}
        for i, (kind, more) in enumerate(said)
    ]  # fmt: skip


def batch(events: Sequence[Mapping[str, Any]], offset: int) -> Batch:
    """These events and one broken record behind them, read from one partition of two topics."""
    frames = decode(as_bytes(events), CATALOGUE).frames
    facts = {
        name: frame.with_columns(
            pl.lit(0, pl.Int32).alias("kafka_partition"), (pl.col(ROW) + offset).alias("kafka_offset")
        ).drop(ROW)
        for name, frame in frames.items()
    }
    end = offset + len(events)
    broken = (TOPIC, 0, end, MONDAY, "decode", "no Avro", None, b"key", b"\xff\x00")
    offsets = {(TOPIC, 0): (end + 1, len(events) + 1), ("funnel.sales", 1): (7, 0)}
    return Batch(facts, failed_table([broken]), offsets)


BEFORE = batch(lived("first", 0), 0)
NEXT = batch(lived("second", 10) + lived("first", 0), 5)


def contents(connection: duckdb.DuckDBPyConnection) -> Mapping[str, object]:
    """All that a batch writes: hashes of facts, states and views, and the rows of what has no hash."""
    connection.execute("set TimeZone = 'UTC'")
    rows = {
        table: sorted(connection.execute(f"select * from {table}").fetchall(), key=repr)
        for table in ("warehouse.next_offset", "warehouse.failed_event", "warehouse.outbox")
    }
    partial = {
        state.name: connection.execute(
            f"select count(*), sum(hash(t)::hugeint) from partial.{state.name} as t"
        ).fetchone()
        for state in states()
    }
    return {**hashes(connection, MONDAY + timedelta(hours=1)), **rows, **partial}


def reopened(file: Path) -> Mapping[str, object]:
    """The contents as a process that knows nothing finds them."""
    with duckdb.connect(str(file), config={"asof_loop_join_threshold": 0}) as connection:
        return contents(connection)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A warehouse that holds one batch already."""
    path = tmp_path / "baton.duckdb"
    with Warehouse.open(path, read_playbook()) as warehouse:
        committer(warehouse.connection).commit(BEFORE)
    return path


def test_a_fault_before_any_statement_leaves_nothing_and_no_fault_everything(file: Path) -> None:
    untouched = reopened(file)
    failed_before: list[str] = []

    while True:
        with duckdb.connect(str(file)) as connection:
            failing = Failing(connection, len(failed_before), Failed())
            try:
                committer(failing).commit(NEXT)
            except Failed:
                failed_before.append(failing.statements[-1])
            else:
                break
        assert reopened(file) == untouched, failed_before[-1]

    complete = reopened(file)
    assert {name for name in untouched if complete[name] == untouched[name]}.isdisjoint(
        {"facts.handoff_offered", "state.handoff", "funnel.handoff", "warehouse.next_offset", "handoff"}
    )
    for part in ("begin", "insert into log.", "insert into partial.", "insert into warehouse.failed_event",
                 "insert into warehouse.outbox", "update warehouse.next_offset", "commit"):  # fmt: skip
        assert any(statement.startswith(part) for statement in failed_before), part


def test_the_same_connection_commits_the_batch_after_a_fault(file: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        with pytest.raises(Failed):
            committer(Failing(connection, 4, Failed())).commit(NEXT)
        committer(connection).commit(NEXT)
    twice = reopened(file)

    never_failed = tmp_path / "never_failed.duckdb"
    with Warehouse.open(never_failed, read_playbook()) as warehouse:
        committer(warehouse.connection).commit(BEFORE)
        committer(warehouse.connection).commit(NEXT)

    assert reopened(never_failed) == twice


def test_an_interruption_leaves_nothing(file: Path) -> None:
    untouched = reopened(file)

    with duckdb.connect(str(file)) as connection, pytest.raises(KeyboardInterrupt):
        committer(Failing(connection, 6, KeyboardInterrupt())).commit(NEXT)

    assert reopened(file) == untouched


def test_a_batch_that_contradicts_the_tables_leaves_nothing(file: Path) -> None:
    untouched = reopened(file)
    offer = NEXT.facts["HandoffOffered"]
    facts = {**NEXT.facts, "HandoffOffered": offer.with_columns(pl.lit("noon").alias("occurred_at"))}

    with duckdb.connect(str(file)) as connection, pytest.raises(duckdb.Error):
        committer(connection).commit(Batch(facts, NEXT.failed, NEXT.offsets))

    assert reopened(file) == untouched


def test_offsets_move_with_the_rows(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "baton.duckdb", read_playbook()) as warehouse:
        assert warehouse.next_offsets() == {}

        committer(warehouse.connection).commit(BEFORE)
        assert warehouse.next_offsets() == {(TOPIC, 0): 5, ("funnel.sales", 1): 7}

        committer(warehouse.connection).commit(NEXT)
        assert warehouse.next_offsets() == {(TOPIC, 0): 14, ("funnel.sales", 1): 7}
        found = books(warehouse.connection)

    assert (found.good, found.failed, found.duplicate, found.total) == (8, 2, 4, 14) and found.add_up


def test_an_open_reader_sees_a_batch_whole_or_not_at_all(file: Path) -> None:
    """A second look inside the writer's process, at every step of a commit."""
    with duckdb.connect(str(file)) as connection:
        seen: list[tuple[int, int]] = []
        asked = (
            "select (select count(*) from log.handoff_offered),"
            " (select max(next_offset) from warehouse.next_offset)"
        )

        class Watched(Failing):
            def execute(self, statement: str, *parameters: object) -> duckdb.DuckDBPyConnection:
                seen.append(connection.cursor().execute(asked).fetchall()[0])
                return super().execute(statement, *parameters)

        committer(Watched(connection, None, Failed())).commit(NEXT)
        assert set(seen) == {(1, 7)}
        assert connection.cursor().execute(asked).fetchall() == [(3, 14)]


def test_a_second_process_is_told_who_holds_the_warehouse(file: Path) -> None:
    opening = (
        "import json, sys; from pathlib import Path\n"
        "from projections.playbook import read_playbook\n"
        "from schemas.errors import BatonError\n"
        "from warehouse.warehouse import Warehouse\n"
        "try: Warehouse.open(Path(sys.argv[1]), read_playbook())\n"
        "except BatonError as error: print(json.dumps(error.as_dict()))\n"
    )

    with Warehouse.open(file, read_playbook()) as warehouse:
        second = subprocess.run(
            [sys.executable, "-c", opening, str(file)], cwd=ROOT, capture_output=True, timeout=60, check=True
        )
        committer(warehouse.connection).commit(NEXT)  # the first one goes on undisturbed
        assert warehouse.next_offsets()[(TOPIC, 0)] == 14

    said = json.loads(second.stdout)
    assert said["error"] == "The warehouse is in use by another process"
    assert said["where"] == str(file)
    assert "lock" in said["why"] and "baton down" in said["next"]


def test_a_file_that_is_no_warehouse_says_so(tmp_path: Path) -> None:
    damaged = tmp_path / "baton.duckdb"
    damaged.write_bytes(b"not a database, but long enough to be read as one" * 100)

    with pytest.raises(BatonError, match="The warehouse cannot be opened") as raised:
        Warehouse.open(damaged, read_playbook())

    assert raised.value.where == str(damaged) and raised.value.why and raised.value.next_command
