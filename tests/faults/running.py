"""A project that runs as a user's would: `baton` as processes, a real Kafka, and a load for both."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from aiokafka import AIOKafkaProducer
from kafka.partitioner import murmur2

from projections.playbook import read_playbook
from schemas.catalogue import CATALOGUE
from schemas.codec import encode
from schemas.validation import read_event
from streams.kafka.topics import PARTITIONS, log_extent
from streams.project import Project
from streams.queries.warehouse_access import ask_warehouse
from streams.simulator import simulate
from streams.worker_files import WorkerFiles
from tests.given import all_hashes
from warehouse.sql_endpoint import SqlEndpoint, load_extensions
from warehouse.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
RECORDS_READ = (
    "select coalesce(sum(records), 0)::bigint from warehouse.next_offset where topic <> 'funnel.alerts'"
)

# What no reader can understand: no value, no frame, no such schema, and a broken datum behind a good header.
UNREADABLE = (None, b"", b'{"type": "LeadCaptured"}', b"\xc3\x01" + bytes(8) + b"lead", b"\0\0\0\0\x07lead")


@dataclass(frozen=True)
class Record:
    """A record on its way to Kafka."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Load:
    """Records in order of arrival, and how many of them are copies, or nothing anybody can read."""

    records: Sequence[Record]
    duplicates: int
    unreadable: int


def make_load(
    seed: int, leads: int, folder: Path, *, duplicates: float = 0.05, unreadable: float = 0.01
) -> Load:
    """A simulated funnel as Kafka records, with copies and unreadable values among them."""
    summary = simulate(seed, leads, folder, duplicates=duplicates)
    records = []
    with (folder / "events.jsonl").open() as lines:
        for line in lines:
            event_type, said = read_event(json.loads(line))
            key = said[event_type.key].encode()
            partition = (murmur2(key) & 0x7FFFFFFF) % PARTITIONS[event_type.topic]
            records.append(Record(event_type.topic, partition, key, encode(event_type, said)))
    chance = random.Random(seed)
    broken = int(len(records) * unreadable)
    whole = [record.value for record in records if record.value]
    for _ in range(broken):
        value = chance.choice((*UNREADABLE, chance.choice(whole)[:-1]))
        where = chance.choice(["funnel.marketing", "funnel.sales"])
        records.insert(chance.randrange(len(records)), Record(where, chance.randrange(4), None, value))
    return Load(records, summary.duplicates, broken)


def produce(
    kafka: str, records: Sequence[Record], seconds: float = 0.0, hurry: threading.Event | None = None
) -> None:
    """Write the records, spread over about this time, or the rest at once when `hurry` is set.

    Returns once Kafka has them all.
    """
    asyncio.run(_produce(kafka, records, seconds, hurry or threading.Event()))


async def _produce(kafka: str, records: Sequence[Record], seconds: float, hurry: threading.Event) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, max_batch_size=100_000)
    await producer.start()
    try:
        started, slices = time.monotonic(), 50
        for number in range(slices):
            part = records[len(records) * number // slices : len(records) * (number + 1) // slices]
            await _produce_at_once(producer, part)
            until = started + seconds * (number + 1) / slices
            while time.monotonic() < until and not hurry.is_set():
                await asyncio.sleep(0.05)
    finally:
        await producer.stop()


async def _produce_at_once(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    sent = []
    batches: dict[tuple[str, int], Any] = {}
    for record in records:
        place = (record.topic, record.partition)
        batch = batches.setdefault(place, producer.create_batch())
        if batch.append(key=record.key, value=record.value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, record.topic, partition=record.partition))
            batch = batches[place] = producer.create_batch()
            assert batch.append(key=record.key, value=record.value, timestamp=None)
    for (topic, partition), batch in batches.items():
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


class Running:
    """A project folder, and `baton` in it, from outside."""

    def __init__(self, folder: Path, kafka: str | None) -> None:
        """`kafka` None: the project's own local broker."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.kafka = kafka or ""
        self.project = Project(home=folder / ".baton", cwd=folder, kafka=kafka)
        self._files: dict[int, WorkerFiles] = {}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BATON_")}
        jars = {k: v for k, v in os.environ.items() if k == "BATON_KAFKA_JARS"}
        self.env = {**kept, **jars, "PYTHONPATH": str(ROOT), **({"BATON_KAFKA": kafka} if kafka else {})}

    def baton(self, *arguments: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams.cli.main", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def verify(self) -> dict[str, Any]:
        """What `baton verify --json` says. It must have come to an answer."""
        run = self.baton("verify", "--json")
        assert run.returncode in (0, 5), run.stderr
        said: dict[str, Any] = json.loads(run.stdout)
        assert said["equal"] == (run.returncode == 0)
        return said

    @contextmanager
    def workers(self) -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
        """Both workers: that of numbers, and that of reactions."""
        with self.worker("numbers") as numbers, self.worker("reactions") as reactions:
            yield numbers, reactions

    @contextmanager
    def worker(
        self, purpose: str = "numbers", largest_file: int | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """A worker of this project; killed at the end if it still runs. `largest_file`: in bytes, as a disk
        that is full would have it."""

        def limit() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))

        files = self.project.worker(purpose)
        files.ready.unlink(missing_ok=True)
        with self.log_file.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli.main", "worker", purpose],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=limit,
            )
        self._files[process.pid] = files
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def log_file(self) -> Path:
        return self.folder / "worker.log"

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def wait_ready(self, process: subprocess.Popen[str], seconds: float = 60.0) -> None:
        """Until the worker follows the log."""
        self._wait(process, self._files[process.pid].ready.exists, seconds)

    def wait_end(self, process: subprocess.Popen[str], seconds: float = 30.0) -> int:
        """The exit code of a worker that ends by itself, or was asked to."""
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker does not end in {seconds} s:\n{self.log[-3000:]}") from None

    def wait_for(self, process: subprocess.Popen[str], records: int, seconds: float = 90.0) -> None:
        """Until the worker has committed so many records; alerts, which it writes itself, do not count."""
        files = self._files[process.pid]
        self._wait(process, lambda: self.records_read(files) >= records, seconds)

    def end_all(self, workers: tuple[subprocess.Popen[str], subprocess.Popen[str]]) -> None:
        """Stop both as SIGTERM does: reactions first, then numbers once it has read what that one wrote."""
        numbers, reactions = workers
        reactions.send_signal(signal.SIGTERM)
        assert self.wait_end(reactions) == 0, self.log[-2000:]
        self.wait_for_all(numbers)
        numbers.send_signal(signal.SIGTERM)
        assert self.wait_end(numbers) == 0, self.log[-2000:]

    def wait_for_all(self, numbers: subprocess.Popen[str], seconds: float = 90.0) -> None:
        """Until the worker of numbers has committed all that Kafka holds, alerts too."""
        extent = log_extent(self.project, CATALOGUE.fact_topics)
        read = "select topic, kafka_partition, next_offset from warehouse.next_offset"

        def has_read_all() -> bool:
            reached = {(topic, partition): at for topic, partition, at in self.rows(read)}
            return all(reached.get(place, 0) >= end for place, (_, end) in extent.items())

        self._wait(numbers, has_read_all, seconds)

    def records_read(self, files: WorkerFiles | None = None) -> int:
        """Records committed, as a worker says through its endpoint (numbers, unless other files are given); 0
        while it does not answer."""
        endpoint = SqlEndpoint.read((files or self.project.numbers).endpoint)
        if endpoint is None:
            return 0
        try:
            asked = self._analyst.execute(
                "select * from quack_query(?, ?, token = ?)", [endpoint.address, RECORDS_READ, endpoint.token]
            )
            return int(asked.fetchall()[0][0])
        except duckdb.Error:
            return 0

    @cached_property
    def _analyst(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        load_extensions(connection)
        return connection

    def rows(self, statement: str, files: WorkerFiles | None = None) -> list[tuple[Any, ...]]:
        """The answer to a SELECT, of the numbers unless other files are given."""
        return ask_warehouse(self.project, statement, files)[1]

    def tables_at(self, instant: datetime) -> dict[str, str]:
        """The hash of each table with open clocks read at an instant. The worker must be stopped."""
        with Warehouse.open(self.project.numbers.warehouse, read_playbook()) as warehouse:
            return {name: t.content for name, t in all_hashes(warehouse.connection, instant).items()}

    def _wait(self, process: subprocess.Popen[str], is_done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            assert process.poll() is None, f"the worker ended ({process.returncode}):\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.log[-3000:]}"
            time.sleep(0.1)
