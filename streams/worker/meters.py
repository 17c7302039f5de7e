"""What a worker counts of its own work, for whoever asks: a few numbers a batch, never one a record.

Each is written by one thread and read by others, who may see a count that is one batch ahead of its time.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# From a commit of one record to a read model that is computed whole.
BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

Place = tuple[str, int]


@dataclass
class Durations:
    """How often something was done and how long it took. below: how many took up to each bound and more than
    the one before; the last is what took longer than all of them."""

    seconds: float = 0.0
    below: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))

    def note(self, seconds: float) -> None:
        """It was done once more."""
        self.seconds += seconds
        self.below[bisect_left(BOUNDS_SECONDS, seconds)] += 1

    @property
    def count(self) -> int:
        return sum(self.below)


@dataclass(frozen=True)
class Seen:
    """The log and the warehouse at one moment: the extent of every partition, and the offsets stored."""

    at: float
    extent: Mapping[Place, tuple[int, int]]
    stored: Mapping[Place, int]

    def lag(self) -> dict[str, int]:
        """Offsets by topic that are still to be stored."""
        return behind(self.extent, self.stored)


def behind(extent: Mapping[Place, tuple[int, int]], stored: Mapping[Place, int]) -> dict[str, int]:
    """Offsets by topic between what is stored and the end of the log."""
    lag: dict[str, int] = {}
    for place, (first, end) in extent.items():
        left = max(0, end - max(first, stored.get(place, 0)))
        lag[place[0]] = lag.get(place[0], 0) + left
    return lag


@dataclass
class Progress:
    """How far the sink is: records committed in this run, and records known to wait in Kafka.

    seen: the log as it was seen last, every few seconds while Kafka answers.
    """

    records: int = 0
    batches: int = 0
    waiting: int = 0
    committed_at: float = 0.0
    commits: Durations = field(default_factory=Durations)
    seen: Seen = Seen(0.0, MappingProxyType({}), MappingProxyType({}))


class Statements:
    """Statements by how they ended: `answered`, `refused` and so on. For any thread."""

    def __init__(self) -> None:
        self.by_outcome: dict[str, Durations] = {}
        self._noting = threading.Lock()

    def note(self, outcome: str, seconds: float) -> None:
        """A statement has ended."""
        with self._noting:
            self.by_outcome.setdefault(outcome, Durations()).note(seconds)


@dataclass(frozen=True)
class Meters:
    """All that one worker counts."""

    progress: Progress = field(default_factory=Progress)
    refreshes: Durations = field(default_factory=Durations)
    statements: Statements = field(default_factory=Statements)
