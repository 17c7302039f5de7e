"""/healthz, /readyz and /metrics over a project with a warehouse for each worker, and a log that was seen."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from schemas.errors import BatonError
from streams.project import Project
from streams.queries.failed_events import dismiss
from streams.queries.warehouse_access import open_warehouse
from streams.web.app import make_page
from streams.web.figures import KEEP_SECONDS, FiguresOf
from streams.web.metrics import METRICS
from streams.web.operators import KAFKA_SECONDS, operator_routes
from streams.web.source import WarehouseSource
from streams.worker.lag_log import BEHIND_FROM
from streams.worker.meters import Meters, Seen
from tests.given import as_bytes, given
from warehouse.commit import Batch, failed_table
from warehouse.scope import HANDOFFS
from warehouse.sql_endpoint import SqlEndpoint, ask, serve_sql
from warehouse.warehouse import Warehouse

PERSONAL = "maria.personal@example.com"
AT = "2026-03-02T09:00:00Z"
LEAD = {"type": "LeadCaptured", "source": "crm", "lead_id": "lead-1", "channel": "web", "email": PERSONAL}
ALERT = {
    "type": "AlertOpened",
    "source": "baton",
    "alert_id": "alert-1",
    "rule": "slow",
    "severity": "critical",
    "subject_kind": "handoff",
    "subject_id": "handoff-1",
    "observed": 2.0,
    "threshold": 1.0,
    "sample_size": 1,
    "summary": "It is slow",
}
TOPIC = "funnel.marketing"


@dataclass
class Watched:
    """What operators see. `clock`: of the figures, which are kept for a while."""

    project: Project
    warehouse: Warehouse
    endpoint: SqlEndpoint
    meters: Meters
    client: TestClient
    clock: list[float] = field(default_factory=lambda: [0.0])

    def samples(self) -> dict[tuple[str, ...], float]:
        """By name and values of labels (in the order of their names), of a fresh scrape."""
        self.clock[0] += KEEP_SECONDS
        answer = self.client.get("/metrics")
        assert answer.status_code == 200
        families = list(text_string_to_metric_families(answer.text))
        assert len(families) == len({found.name for found in families})
        samples = [sample for family in families for sample in family.samples]
        return {(one.name, *(one.labels[n] for n in sorted(one.labels))): one.value for one in samples}

    def see(self, end: int, stored: int, ago: float = 0) -> None:
        """The log as Kafka last reported it."""
        place = (TOPIC, 0)
        self.meters.progress.seen = Seen(time.time() - ago, {place: (0, end)}, {place: stored})

    def readiness(self) -> tuple[int, dict[str, object]]:
        self.clock[0] += KEEP_SECONDS
        answer = self.client.get("/readyz")
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose warehouses are laid out, which takes longer than a test."""
    project = Project.here({}, tmp_path_factory.mktemp("empty"))
    project.make_folders()
    open_warehouse(project).close()
    open_warehouse(project, project.reactions.warehouse, scope=HANDOFFS).close()
    return project


@pytest.fixture
def watched(empty: Project, tmp_path: Path) -> Iterator[Watched]:
    shutil.copytree(empty.cwd, tmp_path, dirs_exist_ok=True)
    project = Project.here({}, tmp_path)
    meters, clock = Meters(), [0.0]
    with open_warehouse(project) as warehouse:
        endpoint = serve_sql(warehouse.connection, 1.0, on_end=meters.statements.note)
        endpoint.save(project.numbers.endpoint)
        source = WarehouseSource(warehouse, project=project)
        figures = FiguresOf(project, source, meters, clock=lambda: clock[0])
        page = make_page(source, operators=operator_routes(meters, figures))
        with TestClient(page, base_url="http://127.0.0.1") as client:
            yield Watched(project, warehouse, endpoint, meters, client, clock)


def test_the_process_answers(watched: Watched) -> None:
    assert (watched.client.get("/healthz").status_code, watched.client.get("/healthz").text) == (200, "ok\n")


def test_ready_once_the_read_models_stand_and_the_log_is_read(watched: Watched) -> None:
    status, answer = watched.readiness()
    assert status == 503 and not answer["is_ready"]
    assert answer["why"] == ["the read models do not stand yet", "the log has not been looked at yet"]

    watched.warehouse.refresh()
    watched.see(end=7, stored=5)
    assert watched.readiness() == (
        200,
        {"is_ready": True, "lag": 2, "not_in_read_models": 0, "why": []},
    )


@pytest.mark.parametrize(
    ("end", "ago", "why"),
    [
        pytest.param(BEHIND_FROM, 0, f"{BEHIND_FROM:,} records wait in Kafka", id="behind"),
        pytest.param(0, KAFKA_SECONDS + 5, "Kafka has not answered for 35 s", id="Kafka is away"),
    ],
)
def test_not_ready_and_why(watched: Watched, end: int, ago: float, why: str) -> None:
    watched.warehouse.refresh()
    watched.see(end, 0, ago)
    status, answer = watched.readiness()
    assert (status, answer["lag"], answer["why"]) == (503, end, [why])


def test_every_metric_is_exposed_with_its_help(watched: Watched) -> None:
    given(watched.warehouse, as_bytes([{**LEAD, "occurred_at": AT, "recorded_at": AT}]))
    watched.warehouse.refresh()
    watched.see(end=9, stored=2)
    watched.meters.progress.committed_at = time.time()
    with open_warehouse(watched.project, watched.project.reactions.warehouse, scope=HANDOFFS) as other:
        serve_sql(other.connection).save(watched.project.reactions.endpoint)
        ask(watched.endpoint, "select 1")
        names = {name for name, *_ in watched.samples()}
        text = watched.client.get("/metrics").text
    assert {name.removesuffix("_created") for name in names} == {
        sample for metric in METRICS for sample in metric.samples
    }
    for metric in METRICS:
        assert f"# HELP {metric.samples[0] if metric.kind == 'counter' else metric.name} " in text
    assert PERSONAL not in text and "lead-1" not in text


def test_lag_freshness_failures_and_alerts(watched: Watched) -> None:
    events = [{**each, "occurred_at": AT, "recorded_at": AT} for each in (LEAD, ALERT)]
    given(watched.warehouse, as_bytes(events))
    rows = [("funnel.sales", 0, n, None, "decode", "unknown bytes", None, None, b"?") for n in range(3)]
    watched.warehouse.committer().commit(Batch({}, failed_table(rows)))
    watched.see(end=9, stored=2)
    found = watched.samples()
    assert found["baton_lag_records", TOPIC] == 7
    assert found["baton_last_event_timestamp_seconds", TOPIC] == 1772442000
    assert found["baton_failed_events",] == 3
    assert found["baton_unread_records",] == 1 and ("baton_refreshed_timestamp_seconds",) not in found
    assert found["baton_open_alerts", "critical"] == 1 and found["baton_open_alerts", "info"] == 0
    assert found["baton_worker_up", "numbers"] == 1 and found["baton_worker_up", "reactions"] == 0
    assert found["baton_worker_resident_bytes", "numbers"] > 50_000_000

    assert ">3 failed events<" in watched.client.get("/").text
    dismiss(watched.project, ["funnel.sales/0/1"], "a test")
    watched.warehouse.refresh()
    found = watched.samples()
    assert found["baton_failed_events",] == 2 and found["baton_unread_records",] == 0
    deadline = time.monotonic() + 60
    while ">2 failed events<" not in watched.client.get("/").text:  # as `baton failed ls` says
        assert time.monotonic() < deadline
        time.sleep(0.2)
    rows = watched.client.get("/rows/failed_events.csv").text
    assert "0,2," in rows and "0,1," not in rows
    assert found["baton_refreshed_timestamp_seconds",] == pytest.approx(time.time(), abs=60)


def test_statements_by_outcome(watched: Watched) -> None:
    ask(watched.endpoint, "select 1")
    for refused in ("select getenv('HOME')", "select count(*) from range(100000000000)", "select nowhere"):
        with pytest.raises(BatonError):
            ask(watched.endpoint, refused)
    counts: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while len(counts) < 4 and time.monotonic() < deadline:  # it is counted after the client has its answer
        found = watched.samples()
        counts = {k[1]: v for k, v in found.items() if k[0] == "baton_statement_duration_seconds_count"}
    assert counts == {"answered": 1, "refused": 1, "late": 1, "failed": 1}
    assert found["baton_statement_duration_seconds_sum", "late"] >= 1
    assert found["baton_statement_duration_seconds_bucket", "0.5", "late"] == 0
    assert found["baton_statement_duration_seconds_bucket", "+Inf", "late"] == 1


def test_the_other_worker_through_its_endpoint(watched: Watched) -> None:
    project = watched.project
    watched.see(end=9, stored=9)
    with open_warehouse(project, project.reactions.warehouse, scope=HANDOFFS) as other:
        serve_sql(other.connection).save(project.reactions.endpoint)
        other.committer().commit(Batch({}, offsets={(TOPIC, 0): (4, 4)}))
        project.reactions.ready.write_text(json.dumps({"pid": os.getpid(), "ready_at": AT}))
        found = watched.samples()
    assert found["baton_reactions_lag_records", TOPIC] == 5 and found["baton_lag_records", TOPIC] == 0
    assert found["baton_unsent_messages",] == 0 and found["baton_figures_unavailable",] == 0
    assert found["baton_worker_up", "reactions"] == 1

    project.reactions.endpoint.write_text('{"address": "quack:127.0.0.1:1", "token": "x", "port": 1}')
    found = watched.samples()
    assert found["baton_figures_unavailable",] == 1 and ("baton_unsent_messages",) not in found
    assert found["baton_failed_events",] == 0  # the others are there all the same


def test_a_query_is_asked_every_ten_seconds_at_most(watched: Watched) -> None:
    before = watched.samples()["baton_unread_records",]
    given(watched.warehouse, as_bytes([{**LEAD, "occurred_at": AT, "recorded_at": AT}]))
    watched.clock[0] += KEEP_SECONDS - 0.1
    kept = watched.client.get("/metrics").text
    assert before == 0 and "baton_unread_records 0.0" in kept
    assert watched.samples()["baton_unread_records",] == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_this_machine_only_and_read_only(watched: Watched, path: str) -> None:
    assert watched.client.get(path, headers={"host": "evil.example"}).status_code == 421
    assert watched.client.post(path).status_code == 405
    assert watched.client.get(path).headers["cache-control"] == "no-store"
