"""What went wrong in a newcomer's first hour stays right."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.cli.main import baton
from streams.demo import DEMO_FOLDER, in_use
from streams.process_record import ProcessRecord
from streams.project import Project
from streams.queries.failed_events import dismiss, list_failed
from streams.queries.redrive import redrive
from tests.given import as_bytes, given
from warehouse.commit import Batch, failed_table
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one lead and two records that nobody can read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BATON_HOME", raising=False)
    event = {"type": "LeadCaptured", "source": "crm", "occurred_at": "2026-03-02T09:00:00Z", "channel": "web"}
    rows = [
        ("funnel.sales", 0, offset, None, "decode", "unknown bytes", None, None, b"???") for offset in (4, 7)
    ]
    with Warehouse.open(tmp_path / ".baton" / "baton.duckdb", read_playbook()) as warehouse:
        given(warehouse, as_bytes([event | {"lead_id": "lead-0999"}]))
        warehouse.committer().commit(Batch({}, failed_table(rows)))
    return Project(home=tmp_path / ".baton", cwd=tmp_path)


def test_a_demo_without_leads_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / ".baton-demo" / "kept"
    kept.parent.mkdir()
    kept.touch()
    run = CliRunner().invoke(baton, ["demo", "--leads", "0"])
    assert run.exit_code == 2 and kept.exists()


def test_a_demo_that_somebody_published_to_is_not_emptied_unasked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = project.cwd / DEMO_FOLDER
    project.home.rename(demo)
    (demo / "demo-records").write_text("1")
    assert not in_use(project), "as its own run left it"
    with Warehouse.open(demo / "baton.duckdb", read_playbook()) as warehouse:
        warehouse.connection.execute("update warehouse.next_offset set records = records + 1")

    run = CliRunner().invoke(baton, ["demo", "--once"])

    assert (
        isinstance(run.exception, BatonError)
        and run.exception.why == "something was published or signed there"
    )
    assert (demo / "demo-records").exists()


def test_a_demo_whose_worker_runs_is_not_emptied_unasked(project: Project) -> None:
    demo = replace(project, home=project.cwd / DEMO_FOLDER)
    project.home.rename(demo.home)
    demo.run_dir.mkdir()
    with subprocess.Popen(["sleep", "60"]) as worker:
        ProcessRecord.of(worker.pid).write(demo.numbers.record)
        run = CliRunner().invoke(baton, ["demo", "--once"])
        worker.kill()

    assert isinstance(run.exception, BatonError) and run.exception.why == "its workers are running"
    assert demo.numbers.warehouse.exists()


def test_dismissed_records_no_longer_make_redrive_fail(project: Project) -> None:
    assert redrive(project, is_dry_run=True).unreadable == 2
    assert dismiss(project, ["funnel.sales/0/7"], "a test") == 1
    assert dismiss(project, ["funnel.sales/0/7"], "again") == 0
    found = list_failed(project, 10)
    assert ([row[0] for row in found.rows], found.count, found.dismissed) == (["funnel.sales/0/4"], 1, 1)

    run = CliRunner().invoke(baton, ["failed", "dismiss", "--all", "--reason", "old format"])
    assert run.exit_code == 0, run.output
    assert redrive(project, is_dry_run=True).unreadable == 0
    told = list_failed(project, 10, only_dismissed=True)
    assert {row[0]: row[-1] for row in told.rows} == {
        "funnel.sales/0/4": "old format", "funnel.sales/0/7": "a test"
    }  # fmt: skip
    with pytest.raises(BatonError, match="no such failed record"):
        dismiss(project, ["funnel.sales/0/8"], "a slip")


def test_a_suggestion_is_of_the_kind_that_was_asked_for(project: Project) -> None:
    run = CliRunner().invoke(baton, ["explain", "lead-999"])
    assert isinstance(run.exception, BatonError)
    assert run.exception.why.endswith("did you mean lead-0999?")
    run = CliRunner().invoke(baton, ["explain", "black_hol"])
    assert isinstance(run.exception, BatonError) and "did you mean black_hole or" in run.exception.why


def test_a_slice_that_is_not_there_is_named(project: Project) -> None:
    """The answer is empty, and would read as nothing happened."""
    statement = "from funnel.black_hole_slice where dimension = 'regoin' and window_unit = 'weeks'"
    run = CliRunner().invoke(baton, ["sql", statement])
    assert "no view is sliced by dimension 'regoin'; known: all, first_channel" in run.stderr
    assert "no view is sliced by window_unit 'weeks'; known: day, week" in run.stderr

    run = CliRunner().invoke(baton, ["explain", "funnel_stage_slice", "regoin"])
    assert isinstance(run.exception, BatonError)
    assert "region, size_band" in run.exception.why and "did you mean region?" in run.exception.why


def test_a_file_is_answered_without_a_home(project: Project) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("HOME", "BATON_HOME")}
    code = (
        "import duckdb, os; from warehouse.sql_endpoint import ask, serve_sql;"
        "print(ask(serve_sql(duckdb.connect()), 'select 355'), flush=True);"
        "os._exit(0)"  # a worker ends so too: threads of the endpoint still serve
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env=env | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert run.returncode == 0 and "355" in run.stdout, run.stderr
