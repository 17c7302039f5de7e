"""`baton sql --events`: the answers of a live worker after the same file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.catalogue import CATALOGUE
from streams.cli.main import baton
from streams.kafka.topics import log_extent
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from streams.simulator import simulate
from streams.worker.sink import Sink
from warehouse.writer import WarehouseWriter

COMPARED = (
    "lead_journey", "handoff", "handoff_sla", "handoff_pair", "black_hole", "qualification", "funnel_stage",
    "deal", "attribution", "goal_attainment", "gap_bridge", "lead_identity",
)  # fmt: skip
BAD = 'not JSON\n{"type": "LeadCaptured"}\n'


def test_refused_lines_are_reported_and_the_others_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    event = {"type": "LeadCaptured", "source": "crm", "occurred_at": "2026-03-02T09:00:00Z", "channel": "web"}
    (tmp_path / "events.jsonl").write_text(BAD + json.dumps(event | {"lead_id": "lead-1"}) + "\n")
    queries = "select lead_id from funnel.lead; select as_of from warehouse.as_of"
    words = ["sql", "--json", "--events", "events.jsonl", "--as-of", "2026-04-01", queries]

    run = CliRunner().invoke(baton, words)

    assert run.exit_code == 5
    assert json.loads(run.stdout) == [[{"lead_id": "lead-1"}], [{"as_of": "2026-04-01T00:00:00+00:00"}]]
    published = CliRunner().invoke(baton, ["publish", "--dry-run", "events.jsonl"])
    refused = [line for line in published.stderr.splitlines() if line.startswith("events.jsonl:")]
    assert len(refused) == 2 and set(refused) <= set(run.stderr.splitlines())


@pytest.mark.parametrize(
    "words", [["--as-of", "2026-04-01", "select 1"], ["--events", "-", "-"], ["--json", "--csv", "select 1"]]
)
def test_options_that_do_not_go_together_are_refused(words: list[str]) -> None:
    assert CliRunner().invoke(baton, ["sql", *words]).exception is not None


@pytest.mark.kafka
def test_the_answers_are_those_of_a_live_worker(
    clean_kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_KAFKA", clean_kafka)
    monkeypatch.delenv("BATON_HOME", raising=False)
    story = simulate(7, 60, tmp_path / "story")
    file = str(tmp_path / "story" / "events.jsonl")
    assert CliRunner().invoke(baton, ["publish", file]).exit_code == 0
    project = Project.here()
    project.make_folders()
    extent = log_extent(project, CATALOGUE.fact_topics)
    with open_warehouse(project) as warehouse:
        sink = Sink(WarehouseWriter(warehouse), project.client_settings(), extent)
        asyncio.run(sink.run(asyncio.Event(), until={place: end for place, (_, end) in extent.items()}))
        warehouse.pin_as_of(story.as_of)
    names = [f"funnel.{name}" for name in COMPARED]
    queries = "; ".join(f"from {name} order by all" for name in names)

    live = CliRunner().invoke(baton, ["sql", "--json", queries])
    as_of = story.as_of.isoformat()
    tried = CliRunner().invoke(baton, ["sql", "--json", "--events", file, "--as-of", as_of, queries])

    assert (live.exit_code, tried.exit_code) == (0, 0), live.exception or tried.exception
    for name, one, other in zip(names, json.loads(live.stdout), json.loads(tried.stdout), strict=True):
        assert one == other, name
