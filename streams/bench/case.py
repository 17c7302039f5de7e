"""What a case is: figures side by side, with the target they are held against and how they were had."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from streams.bench.load import Load

QUICK_EVENTS = 60_000
EVENTS = 400_000


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    `value` and `other` are medians over the rounds; `ratio` is the median of the rounds' own ratios where
    both were measured in turns; `spread` is the least and the most of `value`. is_met is None where there
    is no target.
    """

    what: str
    value: float
    unit: str
    compared_with: str = ""
    other: float | None = None
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None
    spread: tuple[float, float] | None = None


@dataclass(frozen=True)
class Case:
    """The outcome of one case. method: how it is measured. notes: what else the run says, or why nothing."""

    name: str
    method: str
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scale:
    """How much is measured. Times in seconds; `rate` in events a second."""

    events: int = EVENTS
    rounds: int = 5
    peer_events: int = 40_000
    batch: int = 20_000
    latency_seconds: int = 20
    rate: int = 5_000
    times_longer: int = 50
    is_quick: bool = False

    @classmethod
    def of(cls, events: int | None, is_quick: bool) -> Scale:
        """The full measure, or a quick look whose figures only show that everything runs."""
        if not is_quick:
            return cls(events or EVENTS)
        load = events or QUICK_EVENTS
        is_tiny = load < QUICK_EVENTS
        return cls(
            events=load,
            rounds=1 if is_tiny else 3,
            peer_events=min(load // 2, 10_000),
            batch=max(load // 20, 20),
            latency_seconds=1 if is_tiny else 5,
            rate=min(load, 5_000),
            times_longer=10 if is_tiny else 50,
            is_quick=True,
        )


@dataclass
class Bench:
    """A run in progress: the scale, where files go, the load in Kafka, and what to tell on the way."""

    scale: Scale
    folder: Path
    load: Load
    cases: Sequence[str]
    tell: Callable[[str], None] = field(default=lambda text: None)

    @cached_property
    def ingested(self) -> dict[str, list[dict[str, Any]]]:
        """Rounds of reading the whole load, by what was kept. Measured once, for every case that asks."""
        from streams.bench.ingestion import read_side_by_side

        return read_side_by_side(self)

    def new_folder(self, name: str) -> Path:
        """An empty folder; the caller removes it, or the run's end does."""
        path = self.folder / f"{name}-{sum(1 for _ in self.folder.iterdir())}"
        path.mkdir()
        return path


def alternating(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Every name once a round, the order turned round each time: what drifts meanwhile hits all alike."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def compare(
    what: str,
    unit: str,
    ours: Sequence[float],
    compared_with: str,
    theirs: Sequence[float],
    target: str = "",
    is_met: Callable[[float], bool] | None = None,
) -> Figure:
    """A figure of two things measured in turns. is_met judges the ratio."""
    value, spread = median_and_spread(ours)
    ratio = statistics.median(our / their for our, their in zip(ours, theirs, strict=True))
    return Figure(
        what,
        value,
        unit,
        compared_with,
        statistics.median(theirs),
        ratio,
        target,
        is_met(ratio) if is_met else None,
        spread,
    )


def rates(found: Sequence[dict[str, Any]]) -> list[float]:
    """Events a second of each round."""
    return [rate(result) for result in found]


def rate(found: dict[str, Any]) -> float:
    """Events a second of one round."""
    return float(found["events"] / found["seconds"])


def median_and_spread(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """(median, (least, most))."""
    return statistics.median(values), (min(values), max(values))
