"""The local broker: started, found, taken over, stopped; and what it says when it cannot be had."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaProducer

from schemas.errors import BatonError, ExitCode
from streams.kafka.admin import admin
from streams.kafka.topics import ensure_topics, log_extent
from streams.local import broker as local_broker
from streams.local import jars
from streams.process_record import ProcessRecord, started_mark, started_mark_from_ps, write_json
from streams.project import Project

TOPIC = "funnel.marketing"


@pytest.fixture(scope="module")
def broker_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project folder whose broker the tests of this module may do anything to."""
    home = tmp_path_factory.mktemp("project") / ".baton"
    yield home
    local_broker.stop_broker(Project(home=home, cwd=home.parent))


@pytest.fixture
def project(broker_home: Path) -> Project:
    return Project(home=broker_home, cwd=broker_home.parent)


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """A project in which nothing has ever run."""
    return Project(home=tmp_path / ".baton", cwd=tmp_path)


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def publish(project: Project, value: bytes) -> None:
    producer = KafkaProducer(**project.client_settings())
    producer.send(TOPIC, value, partition=0).get(timeout=10)
    producer.close()


def crash(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while started_mark(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- a life: started, found, crashed, hung, moved, stopped ------------------------------------------


def test_two_starts_at_once_make_one_broker(project: Project) -> None:
    code = (
        "from streams.project import Project; from streams.local.broker import start_broker;"
        "b = start_broker(Project.here()); print(b.pid, b.is_new)"
    )

    def start(_: int) -> tuple[str, str]:
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "BATON_HOME": str(project.home), "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        )
        pid, is_new = run.stdout.split()
        return pid, is_new

    with ThreadPoolExecutor() as pool:
        (pid_a, new_a), (pid_b, new_b) = pool.map(start, range(2))
    assert pid_a == pid_b
    assert sorted((new_a, new_b)) == ["False", "True"]
    third = local_broker.start_broker(project)  # it has outlived the command that started it
    assert (third.pid, third.is_new) == (int(pid_a), False)
    assert project.bootstrap() == third.bootstrap
    assert third.bootstrap.startswith("127.0.0.1:")


def test_a_crashed_broker_comes_back_with_its_events_and_its_address(project: Project) -> None:
    before = local_broker.start_broker(project)
    ensure_topics(project)
    publish(project, b"must survive")
    extent = log_extent(project)
    assert extent[TOPIC, 0] == (0, 1)

    crash(before.pid)
    with pytest.raises(BatonError) as unreachable:
        project.bootstrap()
    assert unreachable.value.exit_code is ExitCode.UNREACHABLE
    assert unreachable.value.next_command == "baton up"

    after = local_broker.start_broker(project)
    assert after.is_new and after.pid != before.pid
    assert (after.bootstrap, after.cluster_id) == (before.bootstrap, before.cluster_id)
    assert any(str(before.pid) in note for note in after.notes)
    assert log_extent(project) == extent


def test_a_hanging_broker_is_replaced(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = local_broker.start_broker(project)
    record = ProcessRecord.read(project.kafka_record_file)
    assert record is not None
    # It started long ago, and neither answers nor hears SIGTERM.
    ProcessRecord(record.pid, record.started, {**record.facts, "launched_at": 0}).write(
        project.kafka_record_file
    )
    monkeypatch.setattr(local_broker, "HANGING_SECONDS", 1.0)
    monkeypatch.setattr(local_broker, "STOP_SECONDS", 0.5)
    os.kill(hanging.pid, signal.SIGSTOP)

    fresh = local_broker.start_broker(project)
    assert fresh.is_new and fresh.pid != hanging.pid
    assert started_mark(hanging.pid) is None
    assert any("did not answer" in note for note in fresh.notes)


def test_a_pid_that_went_to_a_stranger_is_left_alone(project: Project) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        broker = local_broker.start_broker(project)
        record = ProcessRecord.read(project.kafka_record_file)
        assert record is not None
        impostor = ProcessRecord(stranger.pid, record.started, record.facts)
        assert not impostor.is_running()
        assert impostor.stop(1.0) == "gone"
        assert stranger.poll() is None
        assert local_broker.find_broker(project) == local_broker.LocalBroker(
            broker.bootstrap, broker.pid, broker.cluster_id, broker.log_file
        )
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_moves_the_broker_and_says_so(project: Project) -> None:
    before = local_broker.start_broker(project)
    ensure_topics(project)
    extent = log_extent(project)
    assert local_broker.stop_broker(project) == "stopped"
    ports = local_broker.recorded_ports(project)
    assert ports is not None
    with socket.socket() as one, socket.socket() as other:
        for holder, port in zip((one, other), ports, strict=True):
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", port))
            holder.listen()
        after = local_broker.start_broker(project)
        assert after.bootstrap != before.bootstrap
        assert any("in use" in note and after.bootstrap.split(":")[1] in note for note in after.notes)
        assert log_extent(project) == extent


def test_stop_leaves_nothing_running(project: Project) -> None:
    broker = local_broker.start_broker(project)
    ports = local_broker.recorded_ports(project)
    assert local_broker.stop_broker(project) == "stopped"
    assert started_mark(broker.pid) is None
    assert not project.kafka_record_file.exists()
    assert ports is not None and all(local_broker.is_free(port) for port in ports)
    assert local_broker.stop_broker(project) == "none"


def test_a_start_killed_on_the_way_is_simply_done_again(bare: Project) -> None:
    command = [sys.executable, "-m", "streams.cli.main", "up", "--no-worker"]
    env = {**os.environ, **bare.environ(), "PYTHONPATH": os.getcwd()}
    killed = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(bare.kafka_data_dir.glob("preparing-*")):  # its formatting process outlives it
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    try:
        assert local_broker.start_broker(bare).is_new
        assert (bare.kafka_data_dir / "data" / "meta.properties").exists()
    finally:
        local_broker.stop_broker(bare)


# --- what is missing is said ------------------------------------------------------------------------


def start_and_fail(project: Project) -> BatonError:
    with pytest.raises(BatonError) as caught:
        local_broker.start_broker(project)
    assert caught.value.where and caught.value.why and caught.value.next_command
    assert not project.kafka_record_file.exists()
    return caught.value


@pytest.mark.parametrize(
    ("java_says", "docker_exit", "what", "advice"),
    [
        pytest.param(None, 1, "Java is missing", "openjdk-17", id="no java"),
        pytest.param(None, 0, "Java is missing", "docker compose up -d kafka", id="no java but docker"),
        pytest.param('openjdk version "11.0.2"', 1, "Java is too old", "openjdk-17", id="java 11"),
        pytest.param('java version "1.8.0_292"', 1, "Java is too old", "openjdk-17", id="java 8"),
        pytest.param("Unable to locate a Java Runtime.", 1, "Java does not run", "install", id="mac stub"),
    ],
)
def test_without_a_usable_java(
    bare: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    java_says: str | None,
    docker_exit: int,
    what: str,
    advice: str,
) -> None:
    path = tmp_path / "bin"
    executable(path / "docker", f"exit {docker_exit}")
    if java_says is not None:
        executable(path / "java", f"echo '{java_says}' >&2")
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    error = start_and_fail(bare)
    assert (error.what, error.exit_code) == (what, ExitCode.CONFIGURATION)
    assert advice in error.next_command


def test_without_maven_and_without_jars(
    bare: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = shutil.which("java")
    assert java is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(java)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BATON_KAFKA_JARS", raising=False)
    error = start_and_fail(bare)
    assert error.what == "Maven is missing"
    assert "BATON_KAFKA_JARS" in error.next_command


def test_when_maven_cannot_resolve(bare: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("mvn") is None:  # the same message, from a Maven that is not there to fail by itself
        executable(tmp_path / "bin" / "mvn", "echo '[ERROR] Could not transfer artifact'; exit 1")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    nowhere = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=1 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1"
    monkeypatch.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={tmp_path / 'repository'} {nowhere}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("BATON_KAFKA_JARS", raising=False)
    error = start_and_fail(bare)
    assert (error.what, error.exit_code) == ("Maven cannot fetch Kafka's jars", ExitCode.UNREACHABLE)
    assert "[ERROR]" in error.why
    assert not list((tmp_path / "cache" / "baton").iterdir()), "a failed fetch must leave nothing behind"


def test_a_jar_that_went_missing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("BATON_KAFKA_JARS", raising=False)
    folder = jars.cache_folder()
    folder.mkdir(parents=True)
    (folder / "kafka_2.13.jar").write_bytes(b"1234")
    write_json(folder / "jars.json", {"kafka_2.13.jar": 4})
    assert jars.present_jars() == folder
    write_json(folder / "jars.json", {"kafka_2.13.jar": 4, "scala-library.jar": 7})
    assert jars.present_jars() is None


def test_a_folder_of_jars_without_kafka_is_refused(
    bare: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_KAFKA_JARS", str(tmp_path))
    assert start_and_fail(bare).what == "BATON_KAFKA_JARS holds no Kafka"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = start_and_fail(Project(home=tmp_path / "file" / ".baton", cwd=tmp_path))
    assert error.what == "The project folder cannot be written"
    assert "BATON_HOME" in error.next_command


def test_a_full_disk_is_said_before_starting(bare: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_broker, "LEAST_FREE_BYTES", 10**18)
    error = start_and_fail(bare)
    assert error.what == "The disk is full"
    assert str(bare.home) in error.next_command


def test_a_broker_that_ends_at_once_shows_its_last_lines(bare: Project) -> None:
    bare.make_folders()
    data = bare.kafka_data_dir / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n")
    error = start_and_fail(bare)
    assert error.what == "The broker ended before it answered"
    assert "77" in error.why, error.why
    assert str(bare.logs_dir / "kafka.log") in error.where


# --- the pieces -------------------------------------------------------------------------------------


def test_the_start_mark_from_ps_tells_processes_apart() -> None:
    if shutil.which("ps") is None:
        pytest.fail("ps is needed where there is no /proc")
    mark = started_mark_from_ps(os.getpid())
    assert mark is not None and re.search(r"\d\d:\d\d:\d\d \d{4}", mark)
    assert mark == started_mark_from_ps(os.getpid())
    assert started_mark_from_ps(2**22 + 1) is None


def test_clients_may_not_make_topics_by_reading_them(kafka: str) -> None:
    with admin(kafka) as client:
        before = set(client.list_topics())
        client.describe_topics(["funnel.markting"])
        assert set(client.list_topics()) == before


@pytest.mark.kafka
def test_a_folder_may_have_spaces_and_umlauts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    home = tmp_path / "Büro für 東京 \N{ROCKET}" / ".baton"
    project = Project(home=home, cwd=home.parent)
    try:
        local_broker.start_broker(project)
        ensure_topics(project)
        publish(project, b"x")
        assert (home / "kafka" / "data" / f"{TOPIC}-0").is_dir()
        assert [path.name for path in tmp_path.iterdir()] == [home.parent.name]
    finally:
        local_broker.stop_broker(project)
