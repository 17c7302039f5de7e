"""`baton bench` as it is run, on a tiny load: it measures every case and writes what it found.

No test looks at a time: what a machine makes of it is for the benchmark to say.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from projections.projection import states
from streams.bench.case import Case, Figure, Scale, alternating
from streams.bench.clickhouse_peer import STATES
from streams.bench.load import encoded_events, produce
from streams.bench.report import Report
from streams.bench.run import CASES
from streams.project import Project

ROOT = Path(__file__).resolve().parents[2]
HAS_CHDB = importlib.util.find_spec("chdb") is not None


def _bench(kafka: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "bench", "--quick", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BATON_KAFKA_BENCH": kafka},
        capture_output=True,
        text=True,
        timeout=580,
    )


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_measures_every_case_and_writes_its_table_and_its_json(
    clean_kafka: str, tmp_path: Path
) -> None:
    run = _bench(clean_kafka, tmp_path, "--events", "2000", "--write", "page.md", "--json")

    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    cases = {case["name"]: case for case in found["cases"]}
    assert set(cases) == set(CASES)
    measured = [case for name, case in cases.items() if name != "clickhouse" or HAS_CHDB]
    assert all(case["figures"] for case in measured)
    figures = [figure for case in measured for figure in case["figures"]]
    assert all(figure["value"] > 0 for figure in figures)
    page = (tmp_path / "page.md").read_text()
    assert all(f"| {figure['what']} |" in page for figure in figures)
    assert "baton bench --quick --events 2000 --write page.md" in page
    assert found["falls_short"] in page
    if HAS_CHDB:
        _peer_holds_what_baton_holds(cases, found["load"]["events"])


def _peer_holds_what_baton_holds(cases: dict[str, Any], events: int) -> None:
    peer = dict(cases["clickhouse"]["details"])
    assert peer.pop("event") == events
    assert peer == cases["rebuild"]["details"]


def test_the_peer_keeps_the_states_baton_keeps() -> None:
    """The comparison says 'the same states': a new one belongs in clickhouse_states.sql too."""
    assert sorted(STATES) == sorted(state.name for state in states())


@pytest.mark.kafka
def test_a_broker_that_holds_events_is_refused(clean_kafka: str, tmp_path: Path) -> None:
    project = Project(home=tmp_path, cwd=tmp_path, kafka=clean_kafka)
    produce(project, encoded_events(leads=1))

    run = _bench(clean_kafka, tmp_path, "--only", "ingestion")

    assert run.returncode == 3
    assert "already holds events" in run.stderr and "unset BATON_KAFKA_BENCH" in run.stderr


def test_a_page_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    run = _bench("127.0.0.1:1", tmp_path, "--write", "nowhere/page.md")

    assert run.returncode == 2
    assert "its folder does not exist" in run.stderr


def test_the_report_tells_what_was_missed_and_what_was_close() -> None:
    figures = (
        Figure("slow thing", 90.0, "events/s", target=">= 1,000", is_met=False),
        Figure("close thing", 1.0, "ms", "a peer", 2.0, 0.48, ">= 0.45", True, (0.5, 1.5)),
        Figure("good thing", 9.0, "ms", target="<= 100", is_met=True),
    )
    cases = (Case("one", "method", figures), Case("other", "method", notes=("not measured: no peer",)))
    report = Report("baton bench", Scale(), datetime(2026, 1, 5, tzinfo=UTC), {"cores": "2"}, _NO_LOAD, cases)

    told = " ".join(report.falls_short())

    assert [figure.what for figure in report.missed] == ["slow thing"]
    assert "Missed: slow thing was 90 events/s; the target is >= 1,000." in told
    assert "another run may miss it: close thing." in told
    assert "trust these less: close thing (3.0)" in told
    assert "other has no figures: not measured: no peer." in told
    assert "good thing" not in told


_NO_LOAD: dict[str, Any] = {"events": 0, "value_bytes": 0, "by_type": {}}


def test_the_order_turns_round_each_round() -> None:
    assert list(alternating(("a", "b"), 3)) == ["a", "b", "b", "a", "a", "b"]
