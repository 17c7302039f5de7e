"""`baton export` and `python -m tests.oracle`: the events of a project, and every number a second time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.validation import read_event
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from streams.simulator import simulate
from tests.given import as_bytes, given
from tests.oracle.comparison import differences

ROOT = Path(__file__).resolve().parents[2]
WON = {
    "type": "OpportunityWon",
    "occurred_on": "2026-03-31",
    "recorded_at": "2026-04-01T08:00:00Z",
    "source": "crm",
    "opportunity_id": "opp-1",
}


def run(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"BATON_HOME": str(home)} if home else {})
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment, text=True, capture_output=True
    )


@pytest.mark.slow
def test_what_was_exported_is_what_was_recorded_and_the_oracle_agrees(tmp_path: Path) -> None:
    simulate(11, 150, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    project.make_folders()
    with open_warehouse(project) as warehouse:
        given(warehouse, as_bytes([*lines, WON]))
    exported = tmp_path / "exported.jsonl"

    done = run("streams.cli.main", "export", str(exported), home=project.home)
    opinion = run("tests.oracle", str(exported), "--json")

    assert done.returncode == 0, done.stderr
    recorded = {event["event_id"]: read_event(event) for event in lines} | {"": read_event(WON)}
    again = [json.loads(line) for line in exported.read_text().splitlines()]
    by_id = {record["event_id"]: (event, record) for event, record in recorded.values()}
    assert {record["event_id"]: (event, record) for event, record in map(read_event, again)} == by_id
    assert len(again) == len(by_id)
    assert opinion.returncode == 0, opinion.stdout + opinion.stderr
    said = json.loads(opinion.stdout)
    assert said["equal"] and said["events"] == len(by_id) and not said["refused"]


def test_lines_that_break_the_contract_are_left_out_and_named(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text(f'{json.dumps(WON)}\n{{"type": "OpportunityWon"}}\nno json\n')

    done = run("tests.oracle", str(log), "--view", "win", "--json")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["events"], len(said["refused"])) == (1, 2)
    assert said["refused"][0].startswith(f"{log}:2: ")


def test_a_log_without_events_says_what_to_do(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text("")

    done = run("tests.oracle", str(log))

    assert done.returncode == 5 and "baton publish --dry-run" in done.stderr


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        pytest.param([], [{"id": "a", "n": 1}], ["id a: only the oracle has this row"], id="missing"),
        pytest.param([{"id": "a", "n": 1}], [], ["id a: only the view has this row"], id="too many"),
        pytest.param(
            [{"id": "a", "n": 1}, {"id": "b", "n": 2.5}],
            [{"id": "b", "n": 2.5}, {"id": "a", "n": None}],
            ["id a: n is 1, the oracle says None"],
            id="another value",
        ),
        pytest.param(
            [{"id": "a", "n": 1}, {"id": "a", "n": 1}],
            [{"id": "a", "n": 1}],
            ["id a: only the view has this row"],
            id="a row twice",
        ),
    ],
)
def test_a_row_that_differs_is_told(
    found: list[dict[str, object]], expected: list[dict[str, object]], said: list[str]
) -> None:
    assert [str(d) for d in differences("v", ("id",), found, expected).differences] == said
