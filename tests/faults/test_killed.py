"""kill -9 at any moment, again and again, under a load with copies and garbage: the numbers stay right."""

from __future__ import annotations

import random
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.running import Running, make_load, produce

pytestmark = pytest.mark.kafka
SEED = 20260301
KILLS = 24  # in turns of each worker


@pytest.mark.slow
@pytest.mark.timeout(600)  # some 90 s on an idle machine
@pytest.mark.parametrize("seed", [SEED], ids=lambda seed: f"200,000 events of seed {seed}, 24 kills")
def test_a_worker_killed_at_random_moments_loses_and_repeats_nothing(
    seed: int, tmp_path: Path, clean_kafka: str
) -> None:
    load = make_load(seed, 16_500, tmp_path / "story")
    running = Running(tmp_path / "project", clean_kafka)
    chance = random.Random(seed)
    publishing = threading.Thread(target=produce, args=(clean_kafka, load.records, 45.0))
    publishing.start()

    for number in range(KILLS):
        with running.worker(("numbers", "reactions")[number % 2]) as worker:
            if number % 3 == 2:
                _live(worker, chance.uniform(0.3, 1.5))
                continue
            running.wait_ready(worker)
            _live(worker, chance.uniform(0.1, 1.5))
    publishing.join()

    with running.workers() as workers:
        for worker in workers:
            running.wait_ready(worker)
            running.wait_for(worker, len(load.records))
        running.end_all(workers)

    said = running.verify()
    raised = running.rows("select count(*), count(distinct event_id) from log.alert_opened")[0]
    assert said["equal"], said
    assert said["log"]["failed"] == load.unreadable
    assert said["log"]["duplicate"] == load.duplicates + raised[0] - raised[1]
    assert said["log"]["total"] == said["log"]["in_kafka"] == len(load.records) + raised[0]


def _live(worker: subprocess.Popen[str], seconds: float) -> None:
    """Leave the worker alone so long; whoever leaves its context kills it."""
    with suppress(subprocess.TimeoutExpired):
        worker.wait(seconds)
        pytest.fail("the worker ended by itself")
