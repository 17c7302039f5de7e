"""A real Kafka for the tests: BATON_TEST_KAFKA if set, else a container, else the local broker.

Without any of them the tests fail. They are never skipped.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.kafka.admin import admin
from streams.kafka.topics import PARTITIONS, create_topics, ensure_topics, existing_topics
from streams.local.broker import free_ports, start_broker, stop_broker
from streams.local.jars import kafka_version
from streams.local.java import docker_answers
from streams.process_record import ProcessRecord
from streams.project import Project

BROKERS = Path(tempfile.gettempdir()) / f"baton-tests-{os.getuid()}"


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap servers of a broker for this test session. Its topics are shared: see topics, clean_kafka."""
    if os.environ.get("BATON_TEST_KAFKA"):
        yield os.environ["BATON_TEST_KAFKA"]
    elif docker_answers():
        yield from _kafka_container()
    else:
        yield from _local_kafka()


@pytest.fixture
def topics(kafka: str) -> Callable[..., str]:
    """Makes a fresh topic of one's own: topics(partitions=1) -> its name. (Auto-creation is off.)"""

    def make(partitions: int = 1, name: str = "test") -> str:
        topic = f"{name}.{uuid.uuid4().hex[:12]}"
        with admin(kafka) as client:
            create_topics(client, {topic: partitions})
        return topic

    return make


@pytest.fixture
def clean_kafka(kafka: str) -> str:
    """The same broker with all funnel.* topics deleted and created again: empty, offsets from 0."""
    with admin(kafka) as client:
        own = ("baton-reaction",)  # what the agents keep for themselves would remember the deleted log
        old = [name for name in existing_topics(client) if name in PARTITIONS or name.startswith(own)]
        if old:
            client.delete_topics(old)
            deadline = time.monotonic() + 20
            while set(old) & existing_topics(client).keys():
                assert time.monotonic() < deadline, f"these topics do not go away: {old}"
                time.sleep(0.05)
        if "baton-sink" in {group["group_id"] for group in client.list_groups()}:
            client.delete_groups(["baton-sink"])
    ensure_topics(kafka)
    return kafka


def _local_kafka() -> Iterator[str]:
    for left_over in BROKERS.glob("*"):  # a test run that was killed could not stop its broker
        owner = ProcessRecord.read(left_over / "owner.json")
        if owner is not None and not owner.is_running():
            stop_broker(Project(home=left_over, cwd=left_over))
            shutil.rmtree(left_over, ignore_errors=True)
    BROKERS.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=BROKERS))
    ProcessRecord.of(os.getpid()).write(home / "owner.json")
    project = Project(home=home, cwd=home)
    try:
        yield start_broker(project).bootstrap
    finally:
        stop_broker(project)
        shutil.rmtree(home, ignore_errors=True)


def _kafka_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    # Clients need the address they can reach, so the port is chosen before the container starts.
    port = free_ports()[0]
    host = DockerContainer("unused").get_container_host_ip()
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{host}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = DockerContainer(f"apache/kafka:{kafka_version()}").with_bind_ports(9092, port)
    for name, value in settings.items():
        container = container.with_env(name, value)
    with container:
        deadline = time.monotonic() + 60
        while True:
            try:
                with admin(f"{host}:{port}", timeout_seconds=5):
                    break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        yield f"{host}:{port}"
