"""A benchmark case: its figures, their targets, and how they were measured."""

from __future__ import annotations

import operator
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Load
from benchmarks.own_process import Measured

_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le}


@dataclass(frozen=True)
class Target:
    """What a figure must reach: its ratio where it is compared with something, else its value."""

    sign: str
    goal: float

    def is_met_by(self, reached: float) -> bool:
        return bool(_SIGNS[self.sign](reached, self.goal))

    def __str__(self) -> str:
        return f"{self.sign} {self.goal:,g}"


@dataclass(frozen=True)
class Figure:
    """One row of the table: what each round measured, and what it is compared with in that round."""

    what: str
    unit: str
    values: Sequence[float]
    compared_with: str = ""
    others: Sequence[float] = ()
    target: Target | None = None

    @property
    def value(self) -> float:
        return statistics.median(self.values)

    @property
    def other(self) -> float | None:
        return statistics.median(self.others) if self.others else None

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of each round, so that drift between rounds cancels out."""
        if not self.others:
            return None
        return statistics.median(ours / other for ours, other in zip(self.values, self.others, strict=True))

    @property
    def reached(self) -> float:
        """The value compared with the target."""
        return self.value if self.ratio is None else self.ratio

    @property
    def is_met(self) -> bool | None:
        """None where there is no target."""
        return self.target.is_met_by(self.reached) if self.target else None

    @property
    def spread(self) -> float:
        """The maximum over the minimum of all rounds."""
        return max(self.values) / min(self.values)


@dataclass(frozen=True)
class Case:
    """The outcome of one case. method: how it is measured. notes: other results, or why there are none.

    rows: entities of each state, for cases that compare stores.
    """

    name: str
    method: str
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Scale:
    """The size of a run. `rate` in events a second."""

    events: int = 400_000
    rounds: int = 5
    faust_events: int = 40_000
    batch: int = 20_000
    small_batch: int = 5_000
    latency_seconds: int = 20
    rate: int = 5_000
    due_moments: int = 200
    times_longer: int = 50
    answer_events: int = 2_000_000
    times_asked: int = 20
    import_rows: int = 1_000_000
    is_quick: bool = False


FULL = Scale()
QUICK = Scale(
    events=2_000,
    rounds=1,
    faust_events=1_000,
    batch=100,
    small_batch=25,
    latency_seconds=1,
    rate=2_000,
    due_moments=10,
    times_longer=10,
    answer_events=2_000,
    times_asked=1,
    import_rows=2_000,
    is_quick=True,
)


@dataclass(frozen=True)
class Bench:
    """A run in progress: the load in Kafka, and the rounds of reading it, by reader."""

    scale: Scale
    load: Load
    folder: Path
    rounds: dict[str, list[Measured]] = field(default_factory=dict)

    def new_folder(self) -> tempfile.TemporaryDirectory[str]:
        """An empty temporary folder, as a context manager."""
        return tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True)

    def rates(self, reader: str) -> list[float]:
        """Events a second of each round of one reader."""
        return [rate(measured) for measured in self.rounds[reader]]


def rate(measured: Measured) -> float:
    """Events a second."""
    return float(measured["events"] / measured["seconds"])


def alternating(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Every name once a round, in reverse every second round, so that drift affects all alike."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)
