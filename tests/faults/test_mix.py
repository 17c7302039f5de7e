"""A mix of faults that a seed decides: whatever happened to the worker, its numbers are those of the log.

Two kinds of mixes, by what is real in them:

- *in files*: the worker is a process with the real decoder, sink, read models, measurement and warehouse
  file; it is killed, frozen and runs into a full disk. The log is a file (tests/faults/filed_log.py).
- *with a broker*: everything is real: `baton worker --only data` as a process, Kafka, transactions, added
  partitions, a schema registry over HTTP, and `baton verify`. The broker is killed too.

At the end two judges must agree with the warehouse: a replay of the log, and the oracle, which computes the
numbers in plain Python from the events that were committed. A seed decides what happens, in which order and
after how many commits; the very instruction at which a kill strikes is up to the machine. Each mix in files
looks at some of the views by either judge, as its seed says; those with a broker look at all.

BATON_MIX_SEEDS=500 runs so many seeds in files, and 20 with a broker; BATON_MIX_SEED=17 only that.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.playbook import parse_playbook, read_playbook
from streams.local.broker import start_broker, stop_broker
from streams.project import Project
from streams.worker import sink
from tests.faults import broker_site, filed_worker
from tests.faults.filed_log import FiledConsumer
from tests.faults.judges import assert_oracle, assert_replayed, books, record, reproducible
from tests.faults.mixture import draw, registry_answers
from tests.schemas.test_registry import MemoryRegistry, server
from tests.signed import KEYS
from warehouse.warehouse import Warehouse

__all__ = ["server"]  # the fixture

COUNT = int(os.environ.get("BATON_MIX_SEEDS", "50"))
ONLY = os.environ.get("BATON_MIX_SEED")
SEEDS_IN_FILES = [int(ONLY)] if ONLY else range(1, COUNT + 1)
SEEDS_WITH_A_BROKER = [int(ONLY)] if ONLY else range(1, (COUNT // 25 if COUNT > 50 else 1) + 1)
STEPS_IN_FILES, STEPS_WITH_A_BROKER = 5, 6


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that is laid out and holds nothing."""
    file = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    Warehouse.open(file, read_playbook()).close()
    return file


@pytest.fixture
def reading_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sinks of this process read logs in files, for the replay."""
    monkeypatch.setattr(sink, "AIOKafkaConsumer", FiledConsumer)
    monkeypatch.setenv("RUST_BACKTRACE", "0")  # as `baton` has it


@pytest.mark.parametrize("seed", SEEDS_IN_FILES)
def test_a_mix_of_faults_in_files(seed: int, tmp_path: Path, empty: Path, reading_files: None) -> None:
    began, done = time.monotonic(), Counter[str]()
    mixture = draw(seed, filed_worker.ACTIONS, filed_worker.WAYS, STEPS_IN_FILES)
    site = filed_worker.FiledSite(tmp_path, empty, mixture)
    with reproducible(seed, "in_files"):
        try:
            for step in mixture.steps:
                done[step.action] += site.take(step)
                done[f"written: {step.how}"] += 1
            site.finish()
        finally:
            site.kill()
        with Warehouse.open(site.file, parse_playbook(site.playbook), keys=KEYS) as live:
            assert_replayed(live, mixture, site.log.path, site.playbook)
            assert_oracle(live, mixture, site.playbook, tmp_path)
    record("in files", mixture, done, time.monotonic() - began)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A broker that may be killed, for all mixes: each has its own prefix for topics and groups."""
    home = tmp_path_factory.mktemp("broker")
    project = Project(home=home, cwd=home)
    start_broker(project)
    try:
        yield project
    finally:
        stop_broker(project)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS_WITH_A_BROKER)
def test_a_mix_of_faults_with_a_broker(
    seed: int, tmp_path: Path, broker: Project, server: MemoryRegistry
) -> None:
    began, done = time.monotonic(), Counter[str]()
    server.answers = registry_answers()
    mixture = draw(seed, broker_site.ACTIONS, broker_site.WAYS, STEPS_WITH_A_BROKER)
    site = broker_site.BrokerSite(tmp_path, broker, server, mixture)
    with reproducible(seed, "with_a_broker"), site:
        for step in mixture.steps:
            done[step.action] += site.take(step)
            done[f"written: {step.how}"] += 1
        said = site.finish()
        assert said["equal"], said
        assert site.verified_books(said) == books(mixture)
        with Warehouse.open(site.file, parse_playbook(site.playbook), keys=KEYS) as live:
            assert_oracle(live, mixture, site.playbook, tmp_path, shares=1)
    record("with a broker", mixture, done, time.monotonic() - began)
