"""A cluster with TLS, client certificates, logins, permissions, and other people's topics beside ours."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.errors import BatonError, ExitCode
from streams.kafka.acls import needed_acls
from streams.kafka.admin import admin
from streams.kafka.names import Names
from streams.kafka.topics import (
    DEAD_LETTER,
    PARTITIONS,
    REACTION_GROUP,
    SINK_GROUP,
    change_topics,
    committed_offsets,
    ensure_topics,
    existing_topics,
    repair_topics,
)
from streams.project import Project
from streams.simulator import simulate
from tests.faults.running import Running
from tests.streams.kafka.secured_broker import SecuredBroker, secured_broker

pytestmark = pytest.mark.kafka

PREFIX = "staging."
USER, SECRET = "baton", "correct-horse-battery"
HOSTILE = bytes.fromhex("c301") + b"\xff" * 40
LATENCY = "funnel.handoff-latency"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as broker:
        broker.add_user(USER, SECRET)
        broker.allow(USER, list(needed_acls(Names(PREFIX))))
        yield broker


@pytest.fixture
def settings(secured: SecuredBroker, tmp_path: Path) -> dict[str, str]:
    """As they would be set in production: the password in a file."""
    (tmp_path / "password").write_text(SECRET + "\n")
    return {
        **secured.tls_settings,
        "BATON_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "BATON_KAFKA_SASL_USERNAME": USER,
        "BATON_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password"),
        "BATON_PREFIX": PREFIX,
    }


def running_with(settings: dict[str, str], folder: Path) -> Running:
    running = Running(folder, settings["BATON_KAFKA"])
    running.env |= settings
    running.project = Project.here(settings, folder)
    return running


def dead_letters(broker: SecuredBroker) -> list[str]:
    """The topic that each dead letter names."""
    consumer = KafkaConsumer(bootstrap_servers=broker.admin_address, auto_offset_reset="earliest")
    try:
        consumer.assign([TopicPartition(PREFIX + DEAD_LETTER, 0)])
        found = [r for records in consumer.poll(3_000).values() for r in records]
    finally:
        consumer.close()
    return sorted(dict(record.headers)["baton_topic"].decode() for record in found)


def send_hostile(broker: SecuredBroker, *topics: str) -> None:
    """Nobody can read these records: they become dead letters."""
    producer = KafkaProducer(bootstrap_servers=broker.admin_address)
    for topic in topics:
        producer.send(PREFIX + topic, HOSTILE, key=b"who")
    producer.close()


def until(is_so: Callable[[], bool], seconds: float, running: Running) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, running.log[-3000:]
        time.sleep(0.3)


def test_everything_runs_with_a_login_over_tls_under_a_prefix(
    secured: SecuredBroker, settings: dict[str, str], tmp_path: Path
) -> None:
    """Permissions are exactly those of `baton contract acls`; publisher, sink and Faust all need theirs."""
    running = running_with(settings, tmp_path / "project")
    simulate(11, 60, running.folder)
    lines = (running.folder / "events.jsonl").read_text().splitlines()
    for command in (("up", "--no-worker"), ("publish", "events.jsonl")):
        run = running.baton(*command)
        assert run.returncode == 0, run.stderr
    send_hostile(secured, "funnel.marketing", LATENCY)

    with running.workers() as workers:
        for worker in workers:
            running.wait_ready(worker)
        arguments = Path(f"/proc/{worker.pid}/cmdline")
        assert not arguments.exists() or SECRET.encode() not in arguments.read_bytes()
        for worker in workers:
            running.wait_for(worker, len(lines) + 1)
        until(lambda: len(dead_letters(secured)) == 2, 60, running)
        assert dead_letters(secured) == [LATENCY, "funnel.marketing"], "by Baton's own names"
        assert running.rows("select topic from funnel.failed_events") == [("funnel.marketing",)]
        until(lambda: sum(committed_offsets(running.project).values()) > len(lines), 30, running)
        assert running.verify()["equal"]
        doctor = running.baton("doctor", "--json")
        for worker in workers:
            worker.terminate()
            assert running.wait_end(worker) == ExitCode.OK

    checks = json.loads(doctor.stdout)["checks"]
    assert [c for c in checks if c["level"] != "ok" and c["name"] in ("kafka", "topics", "clock")] == []
    redriven = running.baton("failed", "redrive", "--dry-run", "--json")
    assert redriven.returncode in (0, 5), redriven.stderr
    assert "uthoriz" not in running.log, "nothing was denied"
    kept = [*running.project.home.rglob("*.json"), *running.project.logs_dir.glob("*"), running.log_file]
    assert running.project.recorded_file in kept
    assert not [file for file in kept if SECRET.encode() in file.read_bytes()]
    assert SECRET not in doctor.stdout + doctor.stderr
    with admin(secured.admin_address) as client:
        made = existing_topics(client)
        groups = {group["group_id"] for group in client.list_groups()}
    assert {PREFIX + name for name in PARTITIONS} <= made.keys()
    assert not [name for name in made if not name.startswith((PREFIX, "__"))]
    assert groups == {PREFIX + SINK_GROUP, PREFIX + REACTION_GROUP}


def test_topics_are_repaired_with_the_permissions_for_it(
    secured: SecuredBroker, settings: dict[str, str], tmp_path: Path
) -> None:
    project = Project.here(settings, tmp_path)
    ensure_topics(project)
    with admin(secured.admin_address) as client:
        change_topics(client, {PREFIX + "funnel.sales": {"retention.ms": "604800000"}})
    faults = ensure_topics(project).faults
    assert [fault.topic for fault in faults] == ["funnel.sales"]
    repair_topics(project, faults)
    assert ensure_topics(project).faults == ()


def test_production_s_topics_are_out_of_reach(settings: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BatonError, match="did not create a topic"):
        ensure_topics(Project.here({**settings, "BATON_PREFIX": ""}, tmp_path))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        pytest.param(
            {"BATON_KAFKA_SASL_PASSWORD_FILE": "", "BATON_KAFKA_SASL_PASSWORD": "hunter2"},
            "uthentication|they refuse",
            id="password",
        ),
        pytest.param({"BATON_KAFKA_CA": ""}, "certificate verify failed", id="authority"),
        pytest.param({"BATON_KAFKA_CERTIFICATE": ""}, "certificate", id="no certificate"),
    ],
)
def test_a_door_that_stays_shut(
    settings: dict[str, str], other: dict[str, str], why: str, tmp_path: Path
) -> None:
    project = Project.here({**settings, **other}, tmp_path)
    with pytest.raises(BatonError, match="Kafka does not answer") as caught, admin(project, 4.0):
        pass
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert re.search(why, caught.value.why)


def test_a_token_logs_in(secured: SecuredBroker, tmp_path: Path) -> None:
    """Kafka's default for OAuth takes tokens without a signature: who runs a cluster names an issuer."""

    def part(said: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    now = time.time()
    token = f"{part({'alg': 'none'})}.{part({'sub': USER, 'iat': now - 5, 'exp': now + 600})}."
    (tmp_path / "token").write_text(token)
    login = {"BATON_KAFKA_SASL_MECHANISM": "OAUTHBEARER", "BATON_KAFKA_TOKEN_FILE": str(tmp_path / "token")}
    settings = {**secured.tls_settings, **login, "BATON_PREFIX": PREFIX}
    running = running_with(settings, tmp_path / "project")
    assert running.baton("up", "--no-worker").returncode == 0
    before = len(dead_letters(secured))
    with running.worker("agents") as worker:
        send_hostile(secured, LATENCY)
        until(lambda: len(dead_letters(secured)) > before, 60, running)
        worker.terminate()
        assert running.wait_end(worker) == ExitCode.OK
    assert "uthoriz" not in running.log
