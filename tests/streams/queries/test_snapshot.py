"""A snapshot: of one moment while others write, in place at once, and only what its role reads."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner

from projections.projection import views
from schemas.errors import BatonError
from streams.cli.snapshot import snapshot
from streams.project import Project
from streams.queries import snapshot as written
from streams.queries.snapshot import dbt_sources, write_snapshot
from streams.queries.warehouse_access import open_warehouse
from tests.given import as_bytes, given
from tests.streams.access.served import committed
from warehouse.roles import read_roles
from warehouse.sql_endpoint import serve_sql
from warehouse.warehouse import Warehouse


def captures(first: int, count: int) -> list[bytes]:
    return as_bytes(
        {
            "type": kind,
            "source": "crm",
            "occurred_at": f"2026-03-02T09:00:0{second}Z",
            "recorded_at": "2026-03-02T09:00:09Z",
            "lead_id": f"lead-{number}",
            **said,
        }
        for number in range(first, first + count)
        for kind, second, said in (
            ("LeadCaptured", 1, {"channel": "web"}),
            ("LeadProfiled", 2, {"account_id": f"account-{number}"}),
        )
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Of three leads, and no worker."""
    found = Project.here({}, tmp_path_factory.mktemp("project"))
    found.make_folders()
    with open_warehouse(found) as warehouse:
        given(warehouse, captures(0, 3))
        warehouse.refresh()
    return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Project, Warehouse]]:
    """A worker's warehouse, which others cannot open."""
    project = Project.here({}, tmp_path)
    project.make_folders()
    with open_warehouse(project) as warehouse:
        committed(warehouse, captures(0, 10))
        warehouse.refresh()
        serve_sql(warehouse.connection).save(project.numbers.endpoint)
        yield project, warehouse


def asked(path: Path, statement: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as copy:
        return copy.execute(statement).fetchall()


@pytest.mark.slow
def test_a_copy_is_of_one_moment_while_a_worker_writes(
    serving: tuple[Project, Warehouse], tmp_path: Path
) -> None:
    project, warehouse = serving
    is_over = threading.Event()

    def write() -> None:
        first = 10
        while not is_over.is_set():
            committed(warehouse, captures(first, 5), 2 * first)
            first += 5
            time.sleep(0.05)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(2):
            write_snapshot(project, tmp_path / "copy.duckdb", None)
            [(leads, captured, profiled, accounts)] = asked(
                tmp_path / "copy.duckdb",
                "select (select count(*) from funnel.lead), (select count(*) from facts.lead_captured),"
                " (select count(*) from facts.lead_profiled), (select count(*) from funnel.lead_account)",
            )
            assert leads == captured == profiled == accounts
            assert leads >= 10 + number
    finally:
        is_over.set()
        writing.join()


def test_a_role_gets_its_views_and_columns_and_no_facts(project: Project, tmp_path: Path) -> None:
    role = read_roles()["marketing"]

    write_snapshot(project, tmp_path / "m.duckdb", role)

    columns = asked(
        tmp_path / "m.duckdb",
        "select schema_name, table_name, list(column_name order by column_index), bool_and(comment <> '')"
        " from duckdb_columns() where not internal and table_name <> 'baton_snapshot' group by all",
    )
    expected = {name: list(found) for name, found in role.columns.items() if name != "failed_events"}
    assert {table: found for _, table, found, _ in columns} == expected
    assert {(schema, is_described) for schema, _, _, is_described in columns} == {("funnel", True)}
    assert asked(tmp_path / "m.duckdb", "select role from baton_snapshot") == [("marketing",)]


def test_a_folder_has_a_file_per_view_and_always_a_whole_current_one(
    project: Project, tmp_path: Path
) -> None:
    role = read_roles()["finance"]

    made = [write_snapshot(project, tmp_path / "out", role).path.resolve() for _ in range(3)]

    assert len(set(made)) == 3
    assert (tmp_path / "out" / "current").resolve() == made[-1]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        ["current", made[-2].name, made[-1].name]
    )
    names = {file.stem for file in made[-1].iterdir()}
    assert names == role.columns.keys() - {"failed_events"}
    assert pl.read_parquet(made[-1] / "black_hole.parquet").columns == list(role.columns["black_hole"])


def test_what_is_no_snapshot_is_not_written_over(project: Project, tmp_path: Path) -> None:
    (tmp_path / "mine.duckdb").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for target in (project.numbers.warehouse, tmp_path / "mine.duckdb", tmp_path / "folder", tmp_path):
        with pytest.raises(BatonError, match="not written over something else"):
            write_snapshot(project, target, None)
    assert (tmp_path / "folder" / "mine.txt").read_text() == "mine"


def test_one_that_fails_leaves_the_old_one_and_nothing_else(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finance = read_roles()["finance"]
    write_snapshot(project, tmp_path / "copy.duckdb", finance)
    before = (tmp_path / "copy.duckdb").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written, "_put_in_place", full)
    with pytest.raises(BatonError, match="cannot be written") as raised:
        write_snapshot(project, tmp_path / "copy.duckdb", finance)
    assert "No space left" in raised.value.why
    assert (tmp_path / "copy.duckdb").read_bytes() == before
    assert not list(tmp_path.glob(".copy*"))


def test_the_command_names_what_it_wrote_and_describes_it_for_dbt(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.cwd)

    done = CliRunner().invoke(
        snapshot,
        ["numbers.duckdb", "--role", "sales", "--dbt", "sources.yml", "--json"],
        catch_exceptions=False,
    )

    assert json.loads(done.stdout)["rows"]["funnel.lead"] == 3
    assert (project.cwd / "sources.yml").read_text() == dbt_sources(read_roles()["sales"])
    with pytest.raises(BatonError, match="There is no role boss"):
        CliRunner().invoke(snapshot, ["x.duckdb", "--role", "boss"], catch_exceptions=False)


def test_dbt_is_told_what_every_column_says() -> None:
    text = dbt_sources(None)

    for view in views():
        if view.name != "failed_events":
            assert f"      - name: {view.name}\n" in text
            assert all(json.dumps(c.says, ensure_ascii=False) in text for c in view.columns)
