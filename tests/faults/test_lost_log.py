"""A log that lost events: the worker stops, resets nothing, and the way on keeps what was read."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from projections.playbook import read_playbook
from schemas.errors import ExitCode
from streams.kafka.admin import admin
from streams.kafka.topics import ensure_topics, existing_topics
from streams.queries.wait import wait_until_read
from tests.faults.running import Load, Running, make_load, produce
from warehouse.warehouse import Warehouse

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return make_load(20260302, 800, tmp_path_factory.mktemp("story"))


@pytest.fixture
def running(tmp_path: Path, clean_kafka: str) -> Running:
    return Running(tmp_path, clean_kafka)


def test_a_topic_that_lost_its_tail_stops_the_worker_which_resets_nothing(
    running: Running, load: Load
) -> None:
    produce(running.kafka, load.records)
    with running.worker() as worker:
        running.wait_for(worker, len(load.records))
    stood_at = running.rows("select * from warehouse.next_offset order by all")
    _recreate(running.kafka, "funnel.sales")

    for _ in range(2):  # a second start is no way around it
        run = running.baton("worker", "numbers", seconds=60)
        assert run.returncode == int(ExitCode.DATA_PROBLEMS), run.stderr
        assert "A topic was deleted and recreated since the warehouse read it" in run.stderr
        assert "funnel.sales" in run.stderr and "restore the topic" in run.stderr
    with Warehouse.open(running.project.numbers.warehouse, read_playbook()) as warehouse:
        warehouse.connection.execute("delete from warehouse.topic")  # as with a broker that has no ids
    run = running.baton("worker", "numbers", seconds=60)
    assert run.returncode == int(ExitCode.DATA_PROBLEMS), run.stderr
    assert "Kafka lost its tail of a topic that the warehouse has read" in run.stderr
    assert "funnel.sales, partition" in run.stderr and "restore the topic" in run.stderr
    assert running.rows("select * from warehouse.next_offset order by all") == stood_at


def test_a_loss_that_is_accepted_costs_no_event_that_was_read(running: Running, load: Load) -> None:
    """The topic is lost with everything in it, and goes on. What Baton had read of it is published again."""
    first, then = load.records[:600], load.records[600:900]
    produce(running.kafka, first)
    with running.worker() as worker:
        running.wait_for(worker, len(first))
    (before,) = running.rows("select count(*) from facts.event")[0]
    _recreate(running.kafka, "funnel.sales")
    produce(running.kafka, then)
    run = running.baton("worker", "numbers", seconds=60)
    assert "baton repair --log-lost-events" in run.stderr

    loss = json.loads(running.baton("repair", "--log-lost-events", "--json").stdout)
    assert Path(loss["set_aside"]).exists() and not running.project.numbers.warehouse.exists()
    assert loss["events"] == before
    assert any(place.startswith("funnel.sales/") for place in loss["partitions"])
    published = running.baton("publish", loss["kept"])
    assert published.returncode == 0, published.stderr
    with running.worker() as worker:
        running.wait_ready(worker)
        wait_until_read(running.project, seconds=60)
        assert running.verify()["equal"]
        gaps = dict(running.rows("select event_type, log_lost_at is not null from funnel.freshness"))
        assert gaps["HandoffAccepted"] and not gaps["LeadCaptured"], "of the topic that lost events only"
        ids = {event_id for (event_id,) in running.rows("select event_id from facts.event")}
        worker.send_signal(signal.SIGTERM)
        assert running.wait_end(worker) == 0, running.log[-2000:]

    kept = {json.loads(line)["event_id"] for line in Path(loss["kept"]).read_text().splitlines()}
    assert kept < ids
    said = running.baton("sql", "select 1")
    assert "Kafka lost events" in said.stderr and "Kafka lost events" not in said.stdout
    assert loss["kept"] in running.baton("status").stdout


def _recreate(kafka: str, topic: str) -> None:
    with admin(kafka) as client:
        client.delete_topics([topic])
        deadline = time.monotonic() + 20
        while topic in existing_topics(client) and time.monotonic() < deadline:
            time.sleep(0.05)
    ensure_topics(kafka)
