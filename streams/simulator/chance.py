"""Seeded randomness, from `random()`, `gauss()` and `getrandbits()` only: they are stable across Pythons."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from math import exp
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Odds(Generic[T]):
    """Values with their weights, for `Dice.draw`."""

    def __init__(self, *weighted: tuple[T, float]) -> None:
        self.values = tuple(value for value, _ in weighted)
        self.bounds = tuple(accumulate(weight for _, weight in weighted))


class Dice:
    """One random stream: the same key gives the same story on any machine."""

    __slots__ = ("_gauss", "_getrandbits", "random")

    def __init__(self, key: str) -> None:
        source = Random(key)  # a str seeds through SHA-512, so PYTHONHASHSEED has no effect
        self.random = source.random
        self._gauss = source.gauss
        self._getrandbits = source.getrandbits

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return self.random() < share

    def pick(self, values: Sequence[T]) -> T:
        """One of them, uniformly."""
        return values[int(self.random() * len(values))]

    def draw(self, odds: Odds[T]) -> T:
        """One of them, by weight."""
        bounds = odds.bounds
        return odds.values[bisect(bounds, self.random() * bounds[-1])]

    def within(self, low: float, high: float) -> float:
        """Uniform between low and high."""
        return low + (high - low) * self.random()

    def around(self, median: float, spread: float) -> float:
        """Log-normal: half lie below the median, a few far above it."""
        return median * exp(spread * self._gauss(0.0, 1.0))

    def event_id(self) -> str:
        """80 random bits in hex: ten million events share one with a chance of 1 in 20 billion."""
        return f"{self._getrandbits(80):020x}"
