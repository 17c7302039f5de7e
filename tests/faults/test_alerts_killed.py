"""Workers of the reaction plane killed at random while alerts open, are delivered and end."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.streams.reactions.alert_site import ANSWER_WITHIN, accepted, offered, publish, set_up
from tests.streams.reactions.receiving import Answer, Got, receiving
from tests.streams.reactions.test_reaction import Site, until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

KILLS = int(os.environ.get("TEST_ALERT_KILLS", "10"))
INCIDENTS = max(40, KILLS * 10) if KILLS > 10 else 60


@pytest.fixture
def site(tmp_path: Path, clean_kafka: str) -> Site:
    return Site(tmp_path, clean_kafka)


class Fleet:
    """Workers that are started again when they are killed."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.running: dict[str, subprocess.Popen[str]] = {}

    def start(self, purpose: str) -> None:
        self.running[purpose] = self.site.start(purpose)

    def kill(self, purpose: str) -> None:
        process = self.running.pop(purpose)
        assert process.poll() is None, f"{purpose} ended by itself:\n{self.site.log}"
        process.kill()
        process.wait()

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


@contextmanager
def fleet(site: Site) -> Iterator[Fleet]:
    workers = Fleet(site)
    try:
        yield workers
    finally:
        workers.stop()


def test_each_incident_is_one_open_and_one_resolve_whoever_is_killed_when(site: Site) -> None:
    chance = random.Random(14)
    names = [f"h{n}" for n in range(INCIDENTS)]

    def answer(got: Got) -> Answer | None:
        """Slowly; and sometimes the connection dies after the notification was taken."""
        time.sleep(0.02)
        return None if chance.random() < 0.1 else (200, {})

    with receiving() as receiver, fleet(site) as workers:
        receiver.answer = answer
        set_up(site, receiver)
        workers.start("reactions")
        until(lambda: site.file("reactions-ready.json").exists(), site)
        due = [
            datetime.now(UTC) + timedelta(seconds=1 + n * KILLS * 2.5 / INCIDENTS) for n in range(INCIDENTS)
        ]
        publish(site, [offered(name, at - ANSWER_WITHIN) for name, at in zip(names, due, strict=True)])
        answered = 0
        for kill in range(KILLS):
            reached = len(receiver.got)
            if kill % 2:  # let there be some work between two of them
                wait = time.monotonic() + 14
                while len(receiver.got) <= reached + chance.randrange(4) and time.monotonic() < wait:
                    time.sleep(0.02)
            time.sleep(chance.random())
            victim = chance.choice(sorted(workers.running))
            workers.kill(victim)
            if victim == "agents" and chance.random() < 0.5:
                continue  # one worker alone, for a while
            workers.start(victim)
            if "agents" not in workers.running and chance.random() < 0.7:
                workers.start("agents")
            now = datetime.now(UTC)
            done = [name for name, at in zip(names, due, strict=True) if at < now - timedelta(seconds=5)]
            publish(site, [accepted(name, now) for name in done[answered:]])
            answered = max(answered, len(done))
        until(lambda: max(due) < datetime.now(UTC) - timedelta(seconds=1), site, 60)
        publish(site, [accepted(name, datetime.now(UTC)) for name in names[answered:]])
        until(lambda: len(receiver.steps()) >= 2 * INCIDENTS, site, 240)
        time.sleep(1)

    subjects = {got.body["data"]["alert_id"]: got.body["data"]["subject"] for got in receiver.got}
    assert sorted(subjects.values()) == sorted(f"handoff {name}" for name in names)
    steps = Counter(receiver.steps())
    assert steps == Counter(
        {(alert, step): 1 for alert in subjects for step in ("alert.opened", "alert.resolved")}
    )
    for alert in subjects:
        of_it = [got.body["type"] for got in receiver.got if got.body["data"]["alert_id"] == alert]
        assert of_it == sorted(of_it), "nothing is resolved before it is opened"
