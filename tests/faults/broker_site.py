"""A project with a real broker under a mix of faults: `baton worker` as a process, and its log in Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from kafka import KafkaProducer

from projections.signing_keys import key_block
from schemas.errors import ExitCode
from streams.kafka.admin import admin
from streams.kafka.names import Names
from streams.kafka.topics import PARTITIONS, change_topics, ensure_topics
from streams.local.broker import find_broker, start_broker
from streams.project import Project
from tests.faults.mixture import PLAYBOOK, Item, Mixture, Step
from tests.faults.running import Running
from tests.schemas.test_registry import MemoryRegistry
from tests.signed import KEYS
from warehouse.content_hash import RecordCounts

ACTIONS = (
    "nothing",
    "kill",
    "kill",
    "freeze",
    "broker killed",
    "disk full",
    "playbook edited",
    "partition added",
)
WAYS = ("plain", "committed", "aborted", "left open")


class BrokerSite:
    """A project under a prefix of its own. Leaving it kills the worker."""

    def __init__(self, folder: Path, broker: Project, registry: MemoryRegistry, mixture: Mixture) -> None:
        self._broker = broker
        self._names = Names(f"mix-{mixture.seed}.")
        self._mixture = mixture
        self._edits = list(mixture.edits)
        self._partitions = dict(PARTITIONS)
        self._open: list[KafkaProducer] = []
        self._worker: subprocess.Popen[str] | None = None
        self._living = ExitStack()
        self._read = 0
        self._running = Running(folder, broker.bootstrap())
        self._running.project = replace(self._running.project, prefix=self._names.prefix)
        self._running.env |= {
            "BATON_PREFIX": self._names.prefix,
            "BATON_SCHEMA_REGISTRY": registry.address,
        }
        self._playbook_file = folder / "playbook.toml"
        self._playbook_file.write_text(PLAYBOOK)
        (folder / "keys.toml").write_text("\n".join(map(key_block, KEYS)))
        ensure_topics(self._running.project)

    @property
    def file(self) -> Path:
        return self._running.project.numbers.warehouse

    @property
    def playbook(self) -> str:
        return self._playbook_file.read_text()

    def __enter__(self) -> BrokerSite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        for producer in self._open:
            producer.close(timeout=5)

    def take(self, step: Step) -> bool:
        """Write the step's records and do to the worker what it says; whether that came to pass."""
        if self._worker is None and step.action != "disk full":
            self._start()
        self._write(step.items, step.how)
        match step.action:
            case "kill":
                time.sleep(step.after[1])
                self._kill()
            case "freeze":
                self._freeze(step.after[1])
            case "broker killed":
                self._kill_broker()
            case "disk full":
                return self._fill_disk(step.after[1])
            case "playbook edited":
                return self._edit()
            case "partition added":
                self._add_partition("funnel.sales")
        return True

    def finish(self) -> dict[str, Any]:
        """What is open is committed; the worker reads everything and is stopped. What verify says then."""
        while self._open:
            producer = self._open.pop()
            producer.commit_transaction()
            producer.close()
        if self._worker is None:
            self._start()
        assert self._worker is not None
        self._running.wait_for(self._worker, len(self._mixture.committed))
        self._stop()
        return self._running.verify()

    def verified_books(self, said: dict[str, Any]) -> RecordCounts:
        """The record counts in what verify said."""
        return RecordCounts(*(said["log"][name] for name in ("good", "failed", "duplicate", "total")))

    def _start(self) -> None:
        self._worker = self._living.enter_context(self._running.worker())
        self._running.wait_ready(self._worker)

    def _stop(self) -> None:
        assert self._worker is not None
        self._worker.send_signal(signal.SIGTERM)
        assert self._running.wait_end(self._worker) == 0, self._running.log[-2000:]
        self._kill()

    def _kill(self) -> None:
        self._living.close()
        self._worker = None

    def _write(self, items: Sequence[Item], how: str) -> None:
        records = [item.record(self._partitions) for item in items]
        one_of_its_own = f"{self._names.prefix}{time.time_ns()}"
        in_transaction: dict[str, Any] = {}
        if how != "plain":
            in_transaction = {"transactional_id": one_of_its_own, "transaction_timeout_ms": 600_000}
        producer = KafkaProducer(
            bootstrap_servers=self._running.kafka, enable_idempotence=True, **in_transaction
        )
        if in_transaction:
            producer.init_transactions()
            producer.begin_transaction()
        for r in records:
            producer.send(self._names.in_kafka(r.topic), r.value, key=r.key, partition=r.partition)
        producer.flush()
        if how == "left open":
            self._open.append(producer)
            return
        if how == "committed":
            producer.commit_transaction()
        elif how == "aborted":
            producer.abort_transaction()
        producer.close()
        if in_transaction:
            self._wait_for_markers(one_of_its_own)

    def _wait_for_markers(self, transaction: str) -> None:
        """Kafka answers a commit before it writes the markers, and a single broker that is killed in between
        may never write them: what is behind them then waits for good. That is not ours to survive."""
        deadline = time.monotonic() + 30
        with admin(self._running.project) as client:
            while "COMPLETE" not in client.describe_transactions([transaction])[transaction].state.name:
                assert time.monotonic() < deadline, transaction
                time.sleep(0.05)

    def _freeze(self, share: float) -> None:
        assert self._worker is not None
        time.sleep(share)
        self._worker.send_signal(signal.SIGSTOP)
        time.sleep(1 + share)
        self._worker.send_signal(signal.SIGCONT)

    def _kill_broker(self) -> None:
        """kill -9, and another start on the same data. The worker waits for it."""
        broker = find_broker(self._broker)
        assert broker is not None
        os.kill(broker.pid, signal.SIGKILL)
        time.sleep(0.5)
        assert start_broker(self._broker).bootstrap == self._running.kafka

    def _fill_disk(self, share: float) -> bool:
        """A worker that may write files up to so many bytes only; whether that ended it."""
        self._kill()
        limited = self._running.worker(largest_file=50_000 + int(share * 200_000))
        with limited as worker:
            try:
                code = worker.wait(10)
            except subprocess.TimeoutExpired:
                return False
        assert code == int(ExitCode.FAILED), self._running.log[-3000:]
        assert "free disk space" in self._running.log[-1500:] or "df -h" in self._running.log[-1500:]
        return True

    def _edit(self) -> bool:
        """Another text of the playbook at the next start."""
        if not self._edits:
            return False
        self._stop()
        self._playbook_file.write_text(self._edits.pop(0))
        return True

    def _add_partition(self, topic: str) -> None:
        self._partitions[topic] += 1
        with admin(self._running.project) as client:
            change_topics(client, {}, {self._names.in_kafka(topic): self._partitions[topic]})
