"""A flood of unreadable records among good ones: memory stays bounded, neighbours on time, redrive in pages.

BATON_FLOOD_RECORDS says how many of each; a million by hand, fewer for every build.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.codec import encode
from streams.kafka.topics import PARTITIONS
from tests.faults.running import Record, Running, make_load, produce
from tests.schemas.test_codec import GOOD, WON, won

pytestmark = pytest.mark.kafka

FLOOD = int(os.environ.get("BATON_FLOOD_RECORDS", "20000"))
LARGEST_WORKER_BYTES = 3_200_000_000  # DuckDB's limit of 2 GB, and everything around it
LARGEST_COMMAND_BYTES = 450_000_000


def unreadable(count: int) -> list[Record]:
    """Of every kind, with about 300 bytes each."""
    chance = random.Random(11)
    topics = ("funnel.marketing", "funnel.sales")
    found = []
    for number in range(count):
        noise = chance.randbytes(290)
        value = (
            b'{"type' + noise,
            b"\xc3\x01" + number.to_bytes(8, "big") + noise,
            GOOD[:10] + noise,
            (GOOD + noise)[:300],
            b"\0\0\0\0\x07" + noise,
        )[number % 5]
        topic = topics[number % 2]
        found.append(Record(topic, chance.randrange(PARTITIONS[topic]), b"k%d" % number, value))
    return found


def test_a_flood_of_unreadable_records_holds_up_nothing(tmp_path: Path, clean_kafka: str) -> None:
    running = Running(tmp_path, clean_kafka)
    good = list(make_load(11, FLOOD // 12, tmp_path / "story", duplicates=0, unreadable=0).records)
    flood = unreadable(FLOOD)
    stream = [record for pair in zip(good, flood, strict=False) for record in pair]
    marker = encode(WON, won(event_id="marker", opportunity_id="marker"))
    stream += [*good[len(flood) :], *flood[len(good) :], Record(WON.topic, 0, b"k", marker)]

    reactions = running.project.reactions
    with running.workers() as workers:
        for worker in workers:
            running.wait_ready(worker)
        produce(clean_kafka, stream)
        for worker in workers:
            running.wait_for(worker, len(stream), seconds=300)
        assert running.rows("select count(*) from warehouse.failed_event") == [(FLOOD,)]
        deadline = time.monotonic() + 300
        letters = "select count(*) from warehouse.outbox where topic = 'funnel.dead-letter'"
        while running.rows(letters, reactions) != [(0,)]:
            assert worker.poll() is None and time.monotonic() < deadline, running.log[-2000:]
            time.sleep(0.5)
        assert running.log.count("panicked") < 200, "a line of the log for each would fill the disk"
        assert max(_peak_bytes(worker.pid) for worker in workers) < LARGEST_WORKER_BYTES

        for command in (("failed", "ls"), ("status",), ("failed", "redrive", "--dry-run")):
            assert f"{FLOOD:,}" in _bounded(running, *command)
        assert "dismissed" in _bounded(running, "failed", "dismiss", "--all", "--reason", "a flood")
        assert f"0 in total, {FLOOD:,} dismissed" in _bounded(running, "failed", "ls")
        assert (tmp_path / ".baton" / "dismissed-events.jsonl").stat().st_size < 100_000
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
            assert running.wait_end(worker) == 0


def _peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _bounded(running: Running, *words: str) -> str:
    """What a command says, which may not have taken more memory however many have failed."""
    with (running.folder / "said").open("w+") as said:
        command = [sys.executable, "-m", "streams.cli.main", *words]
        process = subprocess.Popen(command, cwd=running.folder, env=running.env, stdout=said, stderr=said)
        peak = 0
        while process.poll() is None:  # getrusage would count the process that forked it too
            with suppress(StopIteration):  # it has just ended
                peak = max(peak, _peak_bytes(process.pid))
            time.sleep(0.02)
        said.seek(0)
        assert 0 < peak < LARGEST_COMMAND_BYTES, f"{words}: {peak:,} bytes"
        return said.read()
