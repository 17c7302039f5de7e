"""A worker that is behind says so, and says when it no longer is."""

from __future__ import annotations

from streams.worker.lag_log import LagLog
from streams.worker.meters import Progress


def told(*commits: tuple[float, int, int]) -> list[str]:
    """What is said of commits at (seconds, records read in all, records waiting)."""
    said: list[str] = []
    now = [0.0]
    lag_log = LagLog(said.append, clock=lambda: now[0])
    for seconds, records, waiting in commits:
        now[0] = seconds
        lag_log(Progress(records=records, waiting=waiting))
    return said


def test_a_worker_that_is_level_says_nothing() -> None:
    assert told((0, 500, 10), (1, 900, 0)) == []


def test_a_worker_that_is_behind_says_how_far_and_how_fast() -> None:
    said = told((0, 20_000, 180_000), (1, 40_000, 160_000), (5, 120_000, 80_000), (9, 200_000, 0))

    assert said == [
        "catching up: 180,000 records wait in Kafka",
        "catching up: 56%, 20,000 records a second, about 4 s to go",
        "caught up: 180,000 records, 20,000 a second",
    ]
