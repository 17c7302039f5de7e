"""`baton up`, `down`, `status`, run as a user runs them; and the settings they read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from kafka import KafkaProducer

from projections.playbook import DEFAULT_PLAYBOOK
from schemas.catalogue import CATALOGUE
from schemas.errors import BatonError, ExitCode
from streams.kafka.admin import admin
from streams.kafka.topics import (
    EVENT_TOPICS,
    PARTITIONS,
    change_topics,
    create_topics,
    ensure_topics,
    existing_topics,
)
from streams.local import worker_process
from streams.process_record import ProcessRecord, started_mark, write_json
from streams.project import Project
from streams.queries.warehouse_access import open_warehouse
from warehouse.commit import Batch

ROOT = Path(__file__).resolve().parents[3]
SECRET = "correct-horse-battery"


class Shell:
    """A folder in which `baton` is run."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        self.env = {**kept, "PYTHONPATH": str(ROOT), **settings}

    def baton(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        run = subprocess.run(
            [sys.executable, "-m", "streams.cli.main", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == exit_code, f"{run.stdout}\n{run.stderr}"
        assert SECRET not in run.stdout + run.stderr
        return run

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        return json.loads(self.baton(*arguments, "--json", exit_code=exit_code).stdout)


def _get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return str(answer.read().decode())


# --- up, status, down -------------------------------------------------------------------------------


def test_the_life_of_a_local_broker_and_its_worker(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        first = shell.json("up", "--no-worker")
        assert first["started"] == ["broker", "topics"]
        assert first["topics"]["created"] == list(PARTITIONS)
        assert first["workers"] == {}

        second = shell.json("up")
        assert second["started"] == ["numbers", "reactions"]
        assert second["broker"]["bootstrap"] == first["broker"]["bootstrap"]
        again = shell.baton("up")
        assert "Everything was already running." in again.stderr
        assert first["broker"]["bootstrap"] in again.stdout

        status = shell.json("status")
        assert status["broker"]["is_reachable"] and status["broker"]["pid"] == first["broker"]["pid"]
        for name, worker in status["workers"].items():
            assert worker["is_ready"] and worker["pid"] == second["workers"][name]["pid"]
            assert worker["lag"] == 0 and worker["not_in_tables"] == 0
        assert {t["topic"]: (t["partitions"], t["events"]) for t in status["topics"]} == {
            name: (partitions, 0) for name, partitions in PARTITIONS.items()
        }
        assert status["bytes"]["kafka"] > 0

        watched = json.loads((tmp_path / ".baton" / "run" / "numbers-page.json").read_text())["url"]
        assert json.loads(_get(f"{watched}/readyz"))["is_ready"]  # anything but 200 raises
        metrics = _get(f"{watched}/metrics").splitlines()
        assert 'baton_lag_records{topic="funnel.marketing"} 0.0' in metrics
        assert 'baton_reactions_lag_records{topic="funnel.marketing"} 0.0' in metrics
        assert {f'baton_worker_up{{worker="{name}"}} 1.0' for name in status["workers"]} <= set(metrics)
        assert "baton_figures_unavailable 0.0" in metrics
        [refreshes] = [line for line in metrics if line.startswith("baton_refresh_duration_seconds_count ")]
        assert float(refreshes.split()[1]) >= 1

        supervisor = json.loads((tmp_path / ".baton" / "run" / "numbers-supervisor.json").read_text())
        for pid in (supervisor["pid"], second["workers"]["numbers"]["pid"]):
            os.kill(pid, signal.SIGKILL)
            while started_mark(pid) is not None:
                time.sleep(0.02)
        killed = shell.baton("status", exit_code=4)
        assert "numbers    not running: IT DIED" in killed.stdout
        assert "next:  baton up" in killed.stderr
        assert "The worker of numbers died" in shell.baton("doctor", exit_code=5).stdout
        numbers = shell.baton("sql", "select 1")
        assert "as of 20" in numbers.stderr and "the worker died" in numbers.stderr
        third = shell.json("up")
        assert third["started"] == ["numbers"]
        assert third["workers"]["numbers"]["pid"] != second["workers"]["numbers"]["pid"]

        os.kill(third["workers"]["numbers"]["pid"], signal.SIGSTOP)
        stopped = shell.baton("status", exit_code=4)
        assert "DOES NOT RESPOND" in stopped.stdout and "baton down && baton up" in stopped.stderr
        assert "The worker does not respond" in shell.baton("up", exit_code=4).stderr
        os.kill(third["workers"]["numbers"]["pid"], signal.SIGCONT)
        assert shell.json("status")["workers"]["numbers"]["problem"] is None
        os.kill(third["workers"]["numbers"]["pid"], signal.SIGSTOP)

        assert shell.json("down") == {
            "project": str(tmp_path / ".baton"),
            "numbers": "stopped",
            "reactions": "stopped",
            "broker": "stopped",
        }
        assert started_mark(first["broker"]["pid"]) is None
        assert started_mark(third["workers"]["numbers"]["pid"]) is None
        assert "Kafka      not running" in shell.baton("status", exit_code=4).stdout
    finally:
        shell.baton("down")


def test_a_broker_of_ones_own_is_used_and_never_stopped(clean_kafka: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, BATON_KAFKA=clean_kafka)
    assert shell.json("up", "--no-worker")["broker"]["is_local"] is False
    outcomes = dict.fromkeys(("numbers", "reactions", "broker"), "none")
    assert shell.json("down") == {"project": str(tmp_path / ".baton"), **outcomes}
    assert shell.json("status")["broker"]["is_reachable"]


def test_status_counts_events_and_lag(clean_kafka: str, tmp_path: Path) -> None:
    producer = KafkaProducer(bootstrap_servers=clean_kafka)
    for value in (b"1", b"2", b"3"):
        producer.send("funnel.sales", value, partition=2)
    producer.send("funnel.dead-letter", b"4")
    producer.flush()
    producer.close()
    project = Project(home=tmp_path / ".baton", cwd=tmp_path)
    with open_warehouse(project) as warehouse:
        warehouse.committer().commit(Batch({}, offsets={("funnel.sales", 2): (1, 1)}))
    topics = {t["topic"]: t for t in Shell(tmp_path, BATON_KAFKA=clean_kafka).json("status")["topics"]}
    assert (topics["funnel.sales"]["events"], topics["funnel.sales"]["lag"]) == (3, 2)
    # Nobody reads the dead letters, so there is nothing to lag behind.
    assert (topics["funnel.dead-letter"]["events"], topics["funnel.dead-letter"]["lag"]) == (1, None)
    assert topics["funnel.marketing"]["lag"] == 0


def test_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    shell = Shell(tmp_path, BATON_KAFKA="127.0.0.1:1")
    error = shell.json("up", exit_code=4)
    assert (error["error"], error["where"]) == ("Kafka does not answer", "127.0.0.1:1")
    assert error["why"] == "Connection refused"
    status = shell.json("status", exit_code=4)
    assert status["broker"]["problem"]["error"] == "Kafka does not answer"
    assert "DOES NOT ANSWER" in shell.baton("status", exit_code=4).stdout


# --- topics -----------------------------------------------------------------------------------------


def test_the_topics_are_those_of_the_contract() -> None:
    assert set(EVENT_TOPICS) == set(CATALOGUE.topics)


def test_topics_are_made_once(clean_kafka: str) -> None:
    report = ensure_topics(clean_kafka)
    assert (report.created, report.existing, report.faults) == ((), tuple(PARTITIONS), ())


def test_topics_set_otherwise_are_told_and_repaired(clean_kafka: str, tmp_path: Path) -> None:
    with admin(clean_kafka) as client:
        change_topics(
            client,
            {"funnel.sales": {"retention.ms": "604800000"}, "funnel.alerts": {"cleanup.policy": "compact"}},
        )
        client.delete_topics(["funnel.revenue"])
        while "funnel.revenue" in existing_topics(client):
            pass
        create_topics(client, {"funnel.revenue": 1})
    shell = Shell(tmp_path, BATON_KAFKA=clean_kafka)

    up = shell.baton("up", "--no-worker")
    for fault in (
        "funnel.sales: retention.ms is 604800000, needed -1",
        "funnel.alerts: cleanup.policy is compact, needed delete",
        "funnel.revenue: partitions is 1, needed 2",
    ):
        assert fault in up.stderr
    assert "baton up --repair-topics" in up.stderr

    doctor = shell.json("doctor", exit_code=5)
    assert [c["level"] for c in doctor["checks"] if c["name"] == "topics"] == ["fail", "warn", "fail"]

    repaired = shell.json("up", "--no-worker", "--repair-topics")["topics"]
    assert (len(repaired["repaired"]), repaired["faults"]) == (3, [])
    assert ensure_topics(clean_kafka).faults == ()


def test_a_playbook_is_the_project_s_until_another_is_adopted(clean_kafka: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        (folder / "playbook.toml").write_text(DEFAULT_PLAYBOOK.read_text() + f"\n# {folder.name}\n")
    home = {"BATON_HOME": str(ours / ".baton"), "BATON_KAFKA": clean_kafka}
    here, there = Shell(ours, **home), Shell(theirs, **home)
    try:
        first = here.json("up")["workers"]
        for command in (("up",), ("sql", "select 1"), ("verify",), ("explain", "funnel")):
            refused = there.baton(*command, exit_code=3).stderr
            assert str(ours / "playbook.toml") in refused and str(theirs / "playbook.toml") in refused
        adopted = there.json("up", "--adopt-settings")["workers"]
        assert all(adopted[name]["pid"] != first[name]["pid"] for name in first)
        assert "verify: equal (" in there.baton("verify").stdout
        assert "another playbook.toml" in here.baton("sql", "select 1", exit_code=3).stderr
    finally:
        there.baton("down")


def test_the_settings_of_topics_are_given_and_checked(clean_kafka: str, tmp_path: Path) -> None:
    project = Project(home=tmp_path / ".baton", cwd=tmp_path, kafka=clean_kafka, prefix="settings-test.")
    set_so = replace(project, replication=1, min_insync_replicas=1, retention_days=30)
    try:
        assert ensure_topics(set_so).created == tuple(PARTITIONS)
        assert ensure_topics(set_so).faults == ()
        assert {str(fault) for fault in ensure_topics(project).faults} == {
            f"{topic}: retention.ms is 2592000000, needed -1"
            " (Kafka deletes old events: numbers cannot be rebuilt, and what-if lacks history)"
            for topic in PARTITIONS
        }
        asked = Shell(
            tmp_path,
            BATON_KAFKA=clean_kafka,
            BATON_PREFIX="settings-test.",
            BATON_REPLICATION="3",
            BATON_MIN_INSYNC_REPLICAS="2",
            BATON_RETENTION_DAYS="31",
        )
        checks = asked.json("doctor", exit_code=5)["checks"]
        told = [c for c in checks if c["name"] == "topics" and "funnel.sales" in c["what"]]
        assert [(c["level"], c["what"]) for c in told] == [
            ("fail", "funnel.sales: replicas is 1, needed 3"),
            ("fail", "funnel.sales: retention.ms is 2592000000, needed 2678400000"),
            ("fail", "funnel.sales: min.insync.replicas is 1, needed 2"),
        ]
        asked.baton("up", "--no-worker", "--repair-topics")
        assert {fault.setting for fault in ensure_topics(Project.here(asked.env, tmp_path)).faults} == {
            "replicas"
        }
        with pytest.raises(BatonError, match="Kafka did not create a topic"):
            ensure_topics(replace(set_so, prefix="settings-test-3.", replication=3))
    finally:
        with admin(clean_kafka) as client:
            made = [name for name in existing_topics(client) if name.startswith("settings-test")]
            client.delete_topics(made)


# --- the worker -------------------------------------------------------------------------------------


def test_a_worker_that_cannot_start_shows_its_last_lines(tmp_path: Path) -> None:
    project = Project.here({"BATON_KAFKA": "127.0.0.1:1"}, tmp_path)
    with pytest.raises(BatonError) as caught:
        worker_process.start_workers(project, ready_seconds=60)
    assert caught.value.what == "The worker of numbers ended before it was ready"
    assert "last lines" in caught.value.why and str(project.logs_dir) in caught.value.where
    advice = caught.value.next_command
    assert f"next:  {advice}" in caught.value.why and "baton worker" not in advice, "that of the cause"
    assert worker_process.find_worker(project.numbers) is None
    assert set(worker_process.stop_workers(project).values()) == {"none"}


def test_a_worker_is_ready_only_by_its_own_word(tmp_path: Path) -> None:
    project = Project.here({}, tmp_path)
    project.make_folders()
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        ProcessRecord.of(sleeper.pid).write(project.numbers.record)
        write_json(project.numbers.ready, {"pid": 1, "ready_at": "2026-03-02T09:00:00Z"})
        worker = worker_process.find_worker(project.numbers)
        assert worker is not None and not worker.is_ready, "the file of an earlier worker counts for nothing"
        write_json(project.numbers.ready, {"pid": sleeper.pid, "ready_at": "2026-03-02T09:00:00Z"})
        worker = worker_process.find_worker(project.numbers)
        assert worker is not None and worker.is_ready and worker.ready_at == "2026-03-02T09:00:00Z"
        assert worker_process.stop_workers(project)["numbers"] == "stopped"
        assert sleeper.wait(timeout=5) != 0
    finally:
        sleeper.kill()
        sleeper.wait()


# --- settings ---------------------------------------------------------------------------------------


def test_the_project_is_the_folder_one_stands_in(tmp_path: Path) -> None:
    project = Project.here({}, tmp_path)
    assert project.home == tmp_path / ".baton"
    assert project.playbook_file == DEFAULT_PLAYBOOK
    (tmp_path / "playbook.toml").write_text("")
    assert project.playbook_file == tmp_path / "playbook.toml"
    assert Project.here({"BATON_HOME": "/elsewhere"}, tmp_path).home == Path("/elsewhere")
    assert not (tmp_path / ".baton").exists(), "looking makes no folders"


LOGIN = {"BATON_KAFKA_SASL_USERNAME": "baton", "BATON_KAFKA_SASL_PASSWORD": SECRET}


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        pytest.param({"BATON_KAFKA": "broker"}, "not a list of bootstrap servers", id="no port"),
        pytest.param({"BATON_KAFKA": "a:9092,,b:9092"}, "not a list of bootstrap servers", id="a gap"),
        pytest.param({"BATON_KAFKA": "a:99999"}, "not a list of bootstrap servers", id="impossible port"),
        pytest.param({"BATON_KAFKA_TLS": "maybe"}, "neither on nor off", id="odd flag"),
        pytest.param({"BATON_KAFKA_SASL_USERNAME": "baton"}, "Half of the Kafka login", id="half a login"),
        pytest.param({"BATON_KAFKA": "k.example.com:9092", **LOGIN}, "without TLS", id="open login"),
        pytest.param({"BATON_KAFKA": "127.0.0.1:1,10.0.0.9:2", **LOGIN}, "without TLS", id="one is outside"),
        pytest.param({"BATON_KAFKA": "localhost.evil.com:1", **LOGIN}, "without TLS", id="looks local"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, settings: dict[str, str], what: str) -> None:
    with pytest.raises(BatonError, match=what) as caught:
        Project.here(settings, tmp_path)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert caught.value.why and caught.value.next_command
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        pytest.param({"BATON_KAFKA": "k.example.com:9092"}, "PLAINTEXT", id="open"),
        pytest.param({"BATON_KAFKA": "k.example.com:9092", "BATON_KAFKA_TLS": "1"}, "SSL", id="TLS"),
        pytest.param(
            {"BATON_KAFKA": "k.example.com:9092", "BATON_KAFKA_TLS": "true", **LOGIN}, "SASL_SSL", id="login"
        ),
        pytest.param(
            {"BATON_KAFKA": "localhost:9092,127.0.0.2:1,[::1]:2", **LOGIN}, "SASL_PLAINTEXT", id="loopback"
        ),
    ],
)
def test_how_clients_connect(tmp_path: Path, settings: dict[str, str], protocol: str) -> None:
    project = Project.here(settings, tmp_path)
    connection = project.client_settings()
    assert connection["security_protocol"] == protocol
    assert ("ssl_context" in connection) == protocol.endswith("SSL")
    assert (connection.get("sasl_plain_password") == SECRET) == protocol.startswith("SASL")
    assert SECRET not in repr(project)


def test_aiokafka_takes_the_same_settings(clean_kafka: str, tmp_path: Path) -> None:
    settings = Project.here({"BATON_KAFKA": clean_kafka}, tmp_path).client_settings()

    async def topics() -> set[str]:
        async with AIOKafkaConsumer(**settings) as consumer:
            return set(await consumer.topics())

    assert set(PARTITIONS) <= asyncio.run(topics())


def test_a_refused_login_does_not_tell_the_password(clean_kafka: str, tmp_path: Path) -> None:
    # The broker here knows no login. The client would only say that it could not bootstrap in time.
    project = Project.here({"BATON_KAFKA": clean_kafka, **LOGIN}, tmp_path)
    with pytest.raises(BatonError, match="Kafka does not answer") as caught, admin(project, 1.0):
        pass
    assert "Bootstrap connection" in caught.value.why
    assert SECRET not in json.dumps(caught.value.as_dict())
