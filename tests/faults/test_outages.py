"""Faults around a worker: Kafka stops and returns, loses data, the disk is full, files are damaged.

Each ends the same way: the error's next command is run, and a replay of the log gives the same numbers.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from schemas.catalogue import DEAD_LETTER_TOPIC
from schemas.errors import ExitCode
from streams.kafka.producer import DELIVERY_SECONDS, Message, Producer
from streams.kafka.topics import PARTITIONS, ensure_topics
from streams.local.broker import find_broker, start_broker, stop_broker
from streams.worker_files import WorkerFiles
from tests.faults.running import Load, Running, make_load, produce

pytestmark = pytest.mark.kafka
AS_OF = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    return make_load(20260302, 800, tmp_path_factory.mktemp("story"))


@pytest.fixture
def running(tmp_path: Path, clean_kafka: str) -> Running:
    return Running(tmp_path, clean_kafka)


def read_to_the_end(running: Running, load: Load) -> None:
    """The worker of numbers reads everything and is then stopped, as a user would stop it; that of reactions
    before it, if it has begun, for it may write more."""
    numbers, reactions = running.project.workers
    for files in (*([reactions] if reactions.warehouse.exists() else []), numbers):
        with running.worker(files.name) as worker:
            running.wait_ready(worker)
            running.wait_for(worker, len(load.records))
            if files == numbers:
                running.wait_for_all(worker)
            worker.send_signal(signal.SIGTERM)
            assert running.wait_end(worker) == 0, running.log[-2000:]


def assert_equal(running: Running, load: Load) -> dict[str, Any]:
    """verify says equal, and the books are those of the load."""
    said = running.verify()
    assert said["equal"], said
    assert (said["log"]["failed"], said["log"]["duplicate"]) == (load.unreadable, load.duplicates)
    return said


# --- what comes twice, and what is stopped ------------------------------------------------------


def test_the_whole_load_published_again_is_counted_as_copies_and_changes_no_number(
    running: Running, load: Load
) -> None:
    produce(running.kafka, load.records)
    read_to_the_end(running, load)
    before = running.tables_at(AS_OF)

    produce(running.kafka, load.records)
    twice = Load([*load.records, *load.records], 0, 0)
    read_to_the_end(running, twice)

    books = running.verify()
    readable = len(load.records) - load.unreadable
    assert books["equal"]
    assert books["log"]["duplicate"] == load.duplicates + readable
    assert books["log"]["failed"] == 2 * load.unreadable
    after = running.tables_at(AS_OF)
    about_the_log = {"funnel.failed_events"}
    assert {table for table in before if after[table] != before[table]} <= about_the_log


def test_a_worker_under_load_ends_within_ten_seconds_of_sigterm_and_goes_on_where_it_stood(
    running: Running, load: Load
) -> None:
    hurry = threading.Event()
    publishing = threading.Thread(target=produce, args=(running.kafka, load.records, 60.0, hurry))
    reactions = running.project.reactions
    with running.worker("reactions") as worker:
        running.wait_ready(worker)
        publishing.start()
        running.wait_for(worker, 500)
        asked = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert running.wait_end(worker) == int(ExitCode.OK), running.log[-2000:]
        assert time.monotonic() - asked < 10.0
    hurry.set()
    publishing.join()
    stood_at = running.rows("select sum(records)::bigint from warehouse.next_offset", reactions)[0][0]

    read_to_the_end(running, load)

    assert 500 <= stood_at < len(load.records)
    assert_equal(running, load)


@pytest.mark.parametrize("purpose", ["numbers", "reactions"])
def test_a_worker_that_has_read_everything_costs_next_to_nothing(
    purpose: str, running: Running, load: Load
) -> None:
    produce(running.kafka, load.records)
    with running.worker(purpose) as worker:
        running.wait_ready(worker)
        running.wait_for(worker, len(load.records))
        shares = [_cpu_share(worker.pid, seconds=4)]
        while shares[-1] > 0.15 and len(shares) < 10:  # the agents read what was measured
            shares.append(_cpu_share(worker.pid, seconds=4))
    assert shares[-1] <= 0.15, f"shares of a core: {shares}"


def _cpu_share(pid: int, seconds: float) -> float:
    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, began = used(), time.monotonic()
    time.sleep(seconds)
    return (used() - before) / (time.monotonic() - began)


# --- Kafka --------------------------------------------------------------------------------------


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Running]:
    """A project with a broker of its own, which may be killed."""
    running = Running(tmp_path, None)
    running.kafka = start_broker(running.project).bootstrap
    ensure_topics(running.kafka)
    try:
        yield running
    finally:
        stop_broker(running.project)


def test_a_broker_killed_under_a_worker_and_started_again_costs_nothing(
    own_broker: Running, load: Load
) -> None:
    running, half = own_broker, len(load.records) // 2
    produce(running.kafka, load.records[:half])
    with running.workers() as workers:
        for worker in workers:
            running.wait_ready(worker)
            running.wait_for(worker, 1_000)
        broker = find_broker(running.project)
        assert broker is not None
        os.kill(broker.pid, signal.SIGKILL)
        time.sleep(3)
        assert start_broker(running.project).bootstrap == running.kafka
        produce(running.kafka, load.records[half:])
        with_it = [
            _reads_on(running, worker, files, len(load.records))
            for worker, files in zip(workers, running.project.workers, strict=True)
        ]
        if all(with_it):
            running.end_all(workers)
    if not all(with_it):
        assert "next:" in running.log, "a worker that gives up says what to do"
        read_to_the_end(running, load)

    said = running.verify()
    assert said["equal"], said
    assert said["log"]["failed"] == load.unreadable


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
def test_what_is_on_its_way_waits_for_a_broker_that_is_away_longer_than_its_clients_wait(
    own_broker: Running, fault: signal.Signals
) -> None:
    """The clients' own limit, 40 s, is 1.5 s here: several of them pass while the broker is away. One
    partition's messages fill the client's buffer of 256 kB."""
    alerts = [Message("funnel.alerts", b"one", b"%06d" % n + bytes(1_000), {}) for n in range(600)]
    letters = [Message(DEAD_LETTER_TOPIC, None, b"%06d" % n, {}) for n in range(50)]
    broker = find_broker(own_broker.project)
    assert broker is not None

    async def away() -> None:
        settings = {"bootstrap_servers": own_broker.kafka, "request_timeout_ms": 1_500}
        async with Producer(settings) as producer:
            await producer.deliver([alerts[0], letters[0]])
            os.kill(broker.pid, fault)
            sending = asyncio.create_task(producer.deliver([*alerts[1:], *letters[1:]]))
            await asyncio.sleep(8)
            assert not sending.done(), sending
            if fault == signal.SIGSTOP:
                os.kill(broker.pid, signal.SIGCONT)
            else:
                await asyncio.to_thread(start_broker, own_broker.project)
            async with asyncio.timeout(60):
                await sending

    asyncio.run(away())
    assert DELIVERY_SECONDS >= 600, "in production the worker waits for so long"
    assert [value for value, _ in groupby(_values(own_broker.kafka, "funnel.alerts"))] == [
        message.value for message in alerts
    ], "in order, and none is missing"
    assert set(_values(own_broker.kafka, DEAD_LETTER_TOPIC)) == {message.value for message in letters}


def _values(kafka: str, topic: str) -> list[bytes]:
    """The values of the records of a topic, partition after partition."""
    consumer = KafkaConsumer(bootstrap_servers=kafka)
    places = [TopicPartition(topic, partition) for partition in range(PARTITIONS[topic])]
    consumer.assign(places)
    consumer.seek_to_beginning()
    found: dict[TopicPartition, list[bytes]] = {place: [] for place in places}
    count = sum(consumer.end_offsets(places).values())
    while sum(map(len, found.values())) < count:
        for place, records in consumer.poll(1_000).items():
            found[place] += [record.value for record in records]
    consumer.close()
    return [value for place in places for value in found[place]]


def _reads_on(running: Running, worker: subprocess.Popen[str], files: WorkerFiles, records: int) -> bool:
    """Whether the worker reaches this many records; False when it ends before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and worker.poll() is None:
        if running.records_read(files) >= records:
            return True
        time.sleep(0.2)
    assert worker.poll() is not None, "the worker neither reads on nor ends:\n" + running.log[-3000:]
    assert worker.returncode not in (0, -signal.SIGKILL), worker.returncode
    return False


def test_a_worker_without_its_broker_says_so_and_ends(tmp_path: Path, load: Load) -> None:
    running = Running(tmp_path, "127.0.0.1:9")

    run = running.baton("worker", "reactions", seconds=60)

    assert run.returncode == int(ExitCode.UNREACHABLE)
    assert "Kafka does not answer" in run.stderr and "next:" in run.stderr


# --- the disk -----------------------------------------------------------------------------------


def test_a_full_disk_stops_the_worker_and_space_heals_it(running: Running, load: Load) -> None:
    few = replace(load, records=load.records[:500])
    produce(running.kafka, few.records)
    read_to_the_end(running, few)
    produce(running.kafka, load.records[500:])

    for _ in range(2):  # while it is full, every start ends the same way
        with running.worker(largest_file=1 << 20) as worker:
            assert running.wait_end(worker, 60) == int(ExitCode.FAILED), running.log[-3000:]
        assert "free disk space" in running.log[-1500:], running.log[-3000:]
    read_to_the_end(running, load)

    assert_equal(running, load)


def test_a_disk_that_is_full_as_the_sql_endpoint_opens_is_said_in_words(running: Running) -> None:
    with running.worker() as worker:
        running.wait_ready(worker)
        worker.send_signal(signal.SIGTERM)
        assert running.wait_end(worker) == 0, running.log[-2000:]

    run = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "worker", "numbers"],
        cwd=running.folder,
        env=running.env,
        capture_output=True,  # through pipes: a file would have the same limit
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
    )

    assert run.returncode == int(ExitCode.FAILED), run.stderr
    assert run.stderr.startswith("baton: The SQL endpoint cannot be opened"), run.stderr
    assert "File too large" in run.stderr and "next:  df -h" in run.stderr


def _cut(wal: Path, share: float) -> None:
    os.truncate(wal, int(wal.stat().st_size * share))


def _flip(wal: Path, share: float) -> None:
    content = bytearray(wal.read_bytes())
    content[int(len(content) * share)] ^= 0xFF
    wal.write_bytes(content)


def _zero(wal: Path, share: float) -> None:
    content = wal.read_bytes()
    kept = int(len(content) * share)
    wal.write_bytes(content[:kept] + bytes(len(content) - kept))


DAMAGE = {
    "cut in half": lambda wal: _cut(wal, 0.5),
    "a byte flipped in its middle": lambda wal: _flip(wal, 0.5),
    "its last third zeroed": lambda wal: _zero(wal, 0.67),
    "gone": lambda wal: wal.unlink(),
}


def test_a_damaged_log_of_the_warehouse_is_read_on_from_or_refused_with_advice_that_works(
    running: Running, load: Load, tmp_path: Path
) -> None:
    produce(running.kafka, load.records)
    with running.worker() as worker:
        running.wait_ready(worker)
        running.wait_for(worker, len(load.records) // 2)
    wal = Path(f"{running.project.numbers.warehouse}.wal")
    assert wal.stat().st_size > 50_000, "killed with work in the log"
    whole = tmp_path / "whole"
    shutil.copytree(running.project.home, whole)
    read_to_the_end(running, load)
    undamaged = running.tables_at(AS_OF)

    for name, damage in DAMAGE.items():
        shutil.rmtree(running.project.home)
        shutil.copytree(whole, running.project.home)
        damage(wal)
        if not _goes_on(running, load):
            told = running.log[-1500:]
            assert "The warehouse is damaged" in told and "baton repair" in told, f"{name}: {told}"
            repaired = running.baton("repair")  # what it says, and nothing else
            assert repaired.returncode == 0 and "last checkpoint" in repaired.stderr, f"{name}: {repaired}"
            assert _goes_on(running, load), f"{name}: {running.log[-1500:]}"
        found = running.tables_at(AS_OF)
        assert [t for t in undamaged if found[t] != undamaged[t]] == [], name


def _goes_on(running: Running, load: Load) -> bool:
    """Whether a worker reads everything; False when it ends with an error."""
    with running.worker() as worker:
        deadline = time.monotonic() + 60
        while worker.poll() is None and not _has_read(running, load):
            assert time.monotonic() < deadline, running.log[-2000:]
            time.sleep(0.1)
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
            assert running.wait_end(worker) == 0
            return True
    return False


def _has_read(running: Running, load: Load) -> bool:
    return running.project.numbers.ready.exists() and running.records_read() >= len(load.records)
