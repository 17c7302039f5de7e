"""Compaction and rebuilding are housekeeping: no hash changes, and readers meet all old rows or all new."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from projections.playbook import read_playbook
from projections.projection import states
from streams.simulator import simulate
from tests.given import all_hashes, as_bytes, given
from warehouse import compaction
from warehouse.compaction import Compaction, rebuild, replace_states
from warehouse.content_hash import TableHash
from warehouse.warehouse import Warehouse

BATCHES = 8
Story = tuple[list[bytes], datetime]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A lifelike funnel, out of order and with copies, and the instant to read it at."""
    folder = tmp_path_factory.mktemp("story")
    as_of = simulate(7, 60, folder).as_of
    lines = (folder / "events.jsonl").read_text().splitlines()
    return as_bytes(json.loads(line) for line in lines), as_of


@pytest.fixture
def warehouse(story: Story, tmp_path: Path) -> Iterator[Warehouse]:
    """The story on disk, cut into batches, never compacted."""
    with Warehouse.open(tmp_path / "baton.duckdb", read_playbook()) as opened:
        given(opened, story[0], cuts=range(0, len(story[0]), len(story[0]) // BATCHES))
        yield opened


def compact(warehouse: Warehouse) -> None:
    replace_states(
        warehouse.connection, {state: state.merge_select(f"partial.{state.name}") for state in states()}
    )


def said(warehouse: Warehouse, as_of: datetime) -> Mapping[str, TableHash]:
    return all_hashes(warehouse.connection, as_of)


def rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Appended rows of every state."""
    return {
        state.name: connection.execute(f"select count(*) from partial.{state.name}").fetchall()[0][0]
        for state in states()
    }


@pytest.mark.parametrize(
    "keeping_house", [compact, lambda w: rebuild(w.connection)], ids=["compaction", "rebuild"]
)
def test_no_hash_changes_and_every_state_is_one_row_per_key(
    warehouse: Warehouse, story: Story, keeping_house: Callable[[Warehouse], object]
) -> None:
    before, appended = said(warehouse, story[1]), rows(warehouse.connection)
    keys = {state.name: before[f"state.{state.name}"].rows for state in states()}
    assert all(appended[name] > keys[name] > 0 for name in keys)

    keeping_house(warehouse)
    assert said(warehouse, story[1]) == before
    assert rows(warehouse.connection) == keys

    keeping_house(warehouse)  # once more changes nothing either
    assert said(warehouse, story[1]) == before


def test_what_was_folded_goes_on_and_survives_the_process(
    warehouse: Warehouse, story: Story, tmp_path: Path
) -> None:
    values, as_of = story
    with Warehouse.open(tmp_path / "half.duckdb", read_playbook()) as half:
        given(half, values[: len(values) // 2])
        compact(half)
        given(half, values[len(values) // 2 :])
        rebuild(half.connection)
    with Warehouse.open(tmp_path / "half.duckdb", read_playbook()) as reopened:
        # The offsets of the halves differ from those of the batches; what is said of the funnel does not.
        assert said(reopened, as_of) == said(warehouse, as_of)


def test_a_state_is_folded_when_it_outgrew_its_last_folding(
    warehouse: Warehouse, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [state.name for state in states()]
    before, appended = said(warehouse, story[1]), rows(warehouse.connection)
    housekeeping = Compaction(warehouse.connection)
    assert housekeeping.compact_outgrown() == []  # far below the size at which it pays

    monkeypatch.setattr(compaction, "COMPACT_FROM", min(appended.values()) - 1)
    assert housekeeping.compact_outgrown() == names
    assert housekeeping.compacted_rows == rows(warehouse.connection)
    assert said(warehouse, story[1]) == before

    monkeypatch.setattr(compaction, "COMPACT_FROM", 0)
    assert housekeeping.compact_outgrown() == []  # nothing grew since
    given(warehouse, story[0])
    assert housekeeping.compact_outgrown() == []  # twice its size at the most
    given(warehouse, story[0])
    assert housekeeping.compact_outgrown() == names


class Stepwise:
    """The real connection, with a look from outside before each statement, and after the last of them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, look: Callable[[str], None]) -> None:
        self.connection = connection
        self.look = look

    def execute(self, statement: str, *parameters: object) -> duckdb.DuckDBPyConnection:
        self.look(statement)
        return self.connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_a_reader_sees_all_old_rows_or_all_new_ones_at_every_step(warehouse: Warehouse) -> None:
    reader = warehouse.connection.cursor()
    old, steps, seen = rows(reader), [], []

    def look(statement: str) -> None:
        steps.append(statement.split()[0])
        seen.append(rows(reader))

    rebuild(cast(duckdb.DuckDBPyConnection, Stepwise(warehouse.connection, look)))

    new = rows(reader)
    assert steps[0] == "begin" and "commit" in steps and new != old
    until = steps.index("commit")
    assert all(each == old for each in seen[: until + 1])
    assert all(each == new for each in seen[until + 1 :])


def test_a_reader_in_the_midst_of_its_work_keeps_what_it_began_with(
    warehouse: Warehouse, story: Story
) -> None:
    reader = warehouse.connection.cursor()
    reader.execute("begin")
    old, before = rows(reader), all_hashes(reader, story[1])

    rebuild(warehouse.connection)

    assert rows(reader) == old and all_hashes(reader, story[1]) == before
    reader.execute("commit")
    assert rows(reader) != old and all_hashes(reader, story[1]) == before


def test_readers_in_other_threads_never_see_another_number(warehouse: Warehouse, story: Story) -> None:
    before = said(warehouse, story[1])
    failures: list[BaseException] = []

    def keep_house() -> None:
        try:
            for _ in range(3):
                rebuild(warehouse.connection)
                compact(warehouse)
        except BaseException as error:
            failures.append(error)

    reader = warehouse.connection.cursor()
    writer = threading.Thread(target=keep_house)
    writer.start()
    looks = 0
    while writer.is_alive() or looks == 0:
        assert all_hashes(reader, story[1]) == before
        looks += 1
    writer.join()

    assert failures == []


def test_a_fault_at_any_step_leaves_all_old_rows(warehouse: Warehouse, story: Story) -> None:
    before, old = said(warehouse, story[1]), rows(warehouse.connection)
    contents = {state: state.merge_select(f"partial.{state.name}") for state in states()}
    steps = 0

    while True:
        left = steps

        def fail(statement: str) -> None:
            nonlocal left
            if statement != "rollback":
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt

        try:
            replace_states(cast(duckdb.DuckDBPyConnection, Stepwise(warehouse.connection, fail)), contents)
        except KeyboardInterrupt:
            if steps:  # before "begin" there is nothing to take back
                assert rows(warehouse.connection) == old
            steps += 1
        else:
            break

    assert steps == 2 + 3 * len(states())
    assert said(warehouse, story[1]) == before and rows(warehouse.connection) != old
