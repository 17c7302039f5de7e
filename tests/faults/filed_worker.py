"""A worker over a log in a file: the real sink, read models and warehouse file, in a process to be killed.

Not here are Kafka (tests/faults/filed_log.py stands in), the outbox relay, the SQL endpoint and the agents;
the mix with a broker has those.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from projections.playbook import parse_playbook
from streams.worker import marks, sink
from streams.worker.refresh_loop import RefreshLoop
from tests.faults.filed_log import ABORTED, COMMITTED, FiledConsumer, FiledLog, FiledWatch, LogReader, Place
from tests.faults.mixture import ODD_SCHEMAS, PLAYBOOK, Item, Mixture, Step
from tests.signed import KEYS
from warehouse.measurement import Measurement
from warehouse.warehouse import Warehouse
from warehouse.writer import WarehouseWriter

ACTIONS = (
    "nothing",
    "kill",
    "kill in a commit",
    "kill in a commit",
    "freeze",
    "disk full",
    "playbook edited",
    "partition added",
)
# Statements of the first commits, in one of which a worker is killed.
STATEMENTS = 100
WAYS = ("plain", "plain", "committed", "aborted", "left open")
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])
LEVEL_SECONDS = 60.0
START_SECONDS = 10.0
SILENCE_SECONDS = 0.5
KILLED = "without a word"


class Ordered(NamedTuple):
    """What a worker is started with. largest_file: in bytes. dies_at: the statement of its commits before
    which it is killed; 0 for none."""

    file: Path
    log: Path
    playbook: str
    mixture: Mixture
    largest_file: int = 0
    dies_at: int = 0


class MortalConnection:
    """A connection of a committer, until a statement before which the process is killed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statements: int) -> None:
        self._connection = connection
        self._left = statements

    def execute(self, *told: Any) -> duckdb.DuckDBPyConnection:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._connection.execute(*told)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Writer(WarehouseWriter):
    """The worker's own writer, with smaller batches, and perhaps mortal."""

    def __init__(self, warehouse: Warehouse, ordered: Ordered) -> None:
        super().__init__(warehouse)
        self.max_batch_records = ordered.mixture.batch_records
        if ordered.dies_at:
            mortal: Any = MortalConnection(self._committer.connection, ordered.dies_at)
            self._committer.connection = mortal


def live(ordered: Ordered, reports: Connection) -> None:
    """The life of a worker, until the parent asks it to stop. It reports the offsets of every commit."""
    if ordered.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ordered.largest_file, resource.RLIM_INFINITY))
    os.environ["RUST_BACKTRACE"] = "0"  # as `baton` has it: polars panics over broken data, and is caught
    read_from_files()
    try:
        with Warehouse.open(ordered.file, parse_playbook(ordered.playbook), keys=KEYS) as warehouse:
            asyncio.run(_follow(warehouse, ordered, reports))
        reports.send("stopped")
    except BaseException as error:
        with suppress(OSError):
            reports.send(_words(error))
        os._exit(1)  # as the worker does: nothing else is written


def read_from_files() -> None:
    """From now on sinks of this process read logs in files."""
    for module in (sink, marks):
        module.AIOKafkaConsumer = FiledConsumer  # type: ignore[attr-defined]
    sink.WATCH_SECONDS, sink.PROVE_SECONDS = 0.1, 0.3


async def _follow(warehouse: Warehouse, ordered: Ordered, reports: Connection) -> None:
    stop, watch = asyncio.Event(), FiledWatch(ordered.log)
    asyncio.get_running_loop().add_reader(reports.fileno(), stop.set)  # the parent says one thing only
    reports.send(dict(warehouse.next_offsets()))
    reading = sink.Sink(
        Writer(warehouse, ordered),
        {"bootstrap_servers": str(ordered.log)},
        watch.look({}),
        registry=ODD_SCHEMAS.get,
        on_commit=lambda _: reports.send(dict(warehouse.next_offsets())),
        watch=watch,
    )
    async with asyncio.TaskGroup() as parts:
        parts.create_task(reading.run(stop))
        if ordered.mixture.is_measuring:
            measurement = Measurement(warehouse.read_models())
            read_models, commits = warehouse.read_models(), lambda: reading.progress.batches
            measuring = RefreshLoop(read_models, measurement, lambda: True, commits)
            parts.create_task(measuring.run(stop))


def _words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _words(error.exceptions[0])
    return f"{type(error).__name__}: {error}"


class FiledSite:
    """A project of files: a log, a warehouse, a playbook, and the worker that is running, if any."""

    def __init__(self, folder: Path, empty: Path, mixture: Mixture) -> None:
        """`empty`: a warehouse that is laid out, to begin with."""
        self.log = FiledLog(folder / "log.jsonl")
        self.file = folder / "baton.duckdb"
        shutil.copy(empty, self.file)
        self.playbook = PLAYBOOK
        self._mixture = mixture
        self._edits = list(mixture.edits)
        self._open: list[int] = []
        self._transaction = 0
        self._process: multiprocessing.process.BaseProcess | None = None
        self._reports: Connection | None = None
        self.offsets: dict[Place, int] = {}

    def take(self, step: Step) -> bool:
        """Write the step's records and do to the worker what it says; whether that came to pass."""
        is_last = step.action in ("disk full", "kill in a commit")
        if is_last:
            self.kill()
        elif self._process is None:
            self._start()
        self._write(step.items, step.how)
        match step.action:
            case "kill":
                self._wait_commits(*step.after)
                self.kill()
            case "freeze":
                self._freeze(*step.after)
            case "kill in a commit":
                self._start(dies_at=1 + int(step.after[1] * STATEMENTS))
                return self._last_word() == KILLED
            case "disk full":
                self._start(largest_file=4_000 + int(step.after[1] * 60_000))
                word = self._last_word()
                assert word is None or "File too large" in word, word
                return word is not None
            case "playbook edited":
                return self._edit()
            case "partition added":
                self.log.add_partition("funnel.sales")
        return True

    def finish(self) -> None:
        """What is open is committed; the worker reads everything and is stopped."""
        for transaction in self._open:
            self.log.end(transaction, COMMITTED)
        self._open.clear()
        if self._process is None:
            self._start()
        reader = LogReader(self.log.path)
        reader.look()
        ends = {place: end for place, (_, end) in reader.extent().items() if end}
        deadline = time.monotonic() + LEVEL_SECONDS
        while self.offsets != ends:
            said = self._hear(1.0)
            assert said is None or isinstance(said, dict), f"the worker ended: {said}"
            assert time.monotonic() < deadline, f"at {self.offsets}, the log ends at {ends}"
        self.stop()

    def stop(self) -> None:
        """Stop the worker as SIGTERM does: the batch at hand is committed."""
        assert self._process is not None and self._reports is not None
        self._reports.send("stop")
        said: dict[Place, int] | str | None = None
        deadline = time.monotonic() + LEVEL_SECONDS
        while said != "stopped":
            said = self._hear(1.0)
            assert said is None or isinstance(said, dict) or said == "stopped", f"the worker ended: {said}"
            assert time.monotonic() < deadline, "the worker does not stop"
        self.kill()

    def kill(self) -> None:
        """End the worker with SIGKILL, whatever it is doing."""
        if self._process is not None and self._reports is not None:
            self._process.kill()
            self._process.join()
            self._reports.close()
        self._process = self._reports = None

    def _start(self, **limits: int) -> None:
        own, its = PROCESSES.Pipe()
        ordered = Ordered(self.file, self.log.path, self.playbook, self._mixture, **limits)
        self._process = PROCESSES.Process(target=live, args=(ordered, its))
        self._process.start()
        its.close()
        self._reports = own

    def _write(self, items: Sequence[Item], how: str) -> None:
        records = [item.record(self.log.partitions) for item in items]
        if how == "plain" or not records:
            self.log.append(records)
            return
        self._transaction += 1
        self.log.append(records, self._transaction)
        if how == "left open":
            self._open.append(self._transaction)
        else:
            self.log.end(self._transaction, ABORTED if how == "aborted" else COMMITTED)

    def _wait_commits(self, commits: int, share: float) -> None:
        """So many commits, unless it comes to rest before, and then up to 60 ms."""
        while commits and (said := self._hear(SILENCE_SECONDS)) is not None:
            assert isinstance(said, dict), f"the worker ended: {said}"
            commits -= 1
        time.sleep(0.06 * share)

    def _freeze(self, commits: int, share: float) -> None:
        assert self._process is not None and self._process.pid is not None
        self._wait_commits(commits, share)
        os.kill(self._process.pid, signal.SIGSTOP)
        while self._open:
            self.log.end(self._open.pop(), COMMITTED)  # the log goes on meanwhile
        time.sleep(0.1)
        os.kill(self._process.pid, signal.SIGCONT)

    def _last_word(self) -> str | None:
        """What a worker that is to end said as it did; None when it came to rest before."""
        said = self._hear(START_SECONDS)
        while isinstance(said, dict):
            said = self._hear(SILENCE_SECONDS)
        self.kill()
        return said

    def _edit(self) -> bool:
        """Another text of the playbook at the next start."""
        if not self._edits:
            return False
        self.stop()
        self.playbook = self._edits.pop(0)
        return True

    def _hear(self, seconds: float) -> dict[Place, int] | str | None:
        """The worker's next word: offsets, or how it ended. None when it says nothing for so long."""
        assert self._reports is not None
        if not self._reports.poll(seconds):
            return None
        try:
            said: dict[Place, int] | str = self._reports.recv()
        except (EOFError, ConnectionResetError):
            return KILLED
        if isinstance(said, dict):
            self.offsets = said
        return said
