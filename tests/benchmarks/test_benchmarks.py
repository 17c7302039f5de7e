"""`make bench` on a tiny load: it measures every case and reports what it found.

No test looks at a time: what a machine makes of it is for the benchmark to say.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.case import FULL, QUICK, Case, Figure, Target, alternating
from benchmarks.load import Load, encoded_events, produce
from benchmarks.report import Report
from benchmarks.run import CASES, run
from streams.project import Project

ROOT = Path(__file__).resolve().parents[2]
HAS_CHDB = importlib.util.find_spec("chdb") is not None


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_measures_every_case_and_its_page_holds_every_figure(
    clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_KAFKA_BENCH", clean_kafka)

    report = run(QUICK)

    cases = {case.name: case for case in report.cases}
    assert list(cases) == list(CASES)
    assert all(case.figures for name, case in cases.items() if name != "clickhouse" or HAS_CHDB)
    assert all(figure.value > 0 for figure in report.figures)
    page = report.as_page()
    assert all(f"| {figure.what} |" in page for figure in report.figures)
    assert " ".join(report.falls_short()) in page
    if HAS_CHDB:  # the peer holds what Baton holds
        assert cases["clickhouse"].rows == {"event": report.load.events}


@pytest.mark.kafka
def test_a_broker_that_holds_events_is_refused(clean_kafka: str, tmp_path: Path) -> None:
    produce(Project(home=tmp_path, cwd=tmp_path, kafka=clean_kafka), encoded_events(10))

    refused = subprocess.run(
        [sys.executable, "-m", "benchmarks", "ingestion", "--quick"],
        cwd=ROOT,
        env={**os.environ, "BATON_KAFKA_BENCH": clean_kafka},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert refused.returncode == 3
    assert "already holds events" in refused.stderr and "unset BATON_KAFKA_BENCH" in refused.stderr


def test_the_report_says_what_was_missed_and_what_was_close(tmp_path: Path) -> None:
    figures = (
        Figure("slow thing", "events/s", [90.0], target=Target(">=", 1_000)),
        Figure("close thing", "ms", [0.5, 1.0, 1.5], "a peer", [1.0, 2.1, 3.1], Target(">=", 0.45)),
        Figure("good thing", "ms", [9.0], target=Target("<=", 100)),
    )
    cases = (Case("one", "method", figures), Case("other", "method", notes=("not measured: no peer",)))
    load = Load(Project(home=tmp_path, cwd=tmp_path), {}, 0, 0, {})
    report = Report(FULL, datetime(2026, 1, 5, tzinfo=UTC), {"cores": "2"}, load, cases)

    said = " ".join(report.falls_short())

    assert "Missed: slow thing was 90 events/s; the target is >= 1,000." in said
    assert "another run may miss it: close thing." in said
    assert "trust these less: close thing (3.0)" in said
    assert "other has no figures: not measured: no peer." in said
    assert "good thing" not in said


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    assert Figure("thing", "ms", [1.0, 10.0, 3.0], "a peer", [2.0, 10.0, 1.0]).ratio == 1.0


def test_every_second_round_goes_in_reverse() -> None:
    assert list(alternating(("a", "b"), 3)) == ["a", "b", "b", "a", "a", "b"]
