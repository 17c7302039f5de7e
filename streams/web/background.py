"""What takes long to compute: once, in the background, one at a time, and then kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from schemas.errors import BatonError, ExitCode

T = TypeVar("T")


class StillComputing(Exception):
    """Something that is being computed. seconds: since when; took: what the last one took, or 0."""

    def __init__(self, what: str, seconds: float, took: float) -> None:
        super().__init__(what)
        self.what, self.seconds, self.took = what, seconds, took

    @property
    def share(self) -> int:
        """About how much is done, in percent; the last tenth is never promised."""
        return min(90, round(90 * self.seconds / self.took)) if self.took else 0


class Background(Generic[T]):
    """Results by key. compute: makes one, in a thread; whoever asked reads its error. most: how many are
    kept, the latest asked for, and how many wait. drop: lets go of one."""

    def __init__(self, compute: Callable[[str], T], most: int, drop: Callable[[T], None]) -> None:
        self._compute, self._most, self._drop = compute, most, drop
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._failures: dict[str, BatonError] = {}
        self._begun: dict[str, float] = {}
        self._took = 0.0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def of(self, key: str, what: str) -> T:
        """The result of a key; what: its name for people. Raises StillComputing while it is not there, and
        once BatonError when it cannot be."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            if key in self._failures:
                raise self._failures.pop(key)
            if key not in self._begun:
                if len(self._begun) > self._most:
                    raise _busy(what, self._most)
                self._begun[key] = time.monotonic()
                threading.Thread(
                    target=self._run, args=(key, what), name="baton-page-background", daemon=True
                ).start()
            raise StillComputing(what, time.monotonic() - self._begun[key], self._took)

    def _run(self, key: str, what: str) -> None:
        with self._turn:
            begun = time.monotonic()
            try:
                found = self._compute(key)
            except Exception as error:  # whoever asked reads why
                with self._lock:
                    self._failures[key] = _failed(what, error)
                    del self._begun[key]
                return
            with self._lock:
                self._took = time.monotonic() - begun
                self._kept[key] = found
                del self._begun[key]
                while len(self._kept) > self._most:
                    self._drop(self._kept.popitem(last=False)[1])

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            while self._kept:
                self._drop(self._kept.popitem()[1])


def _failed(what: str, error: Exception) -> BatonError:
    if isinstance(error, BatonError):
        return error
    return BatonError(
        f"{what[:1].upper()}{what[1:]} could not be computed",
        where="the page",
        why=str(error).splitlines()[0] if str(error) else type(error).__name__,
        next_command="baton doctor",
    )


def _busy(what: str, most: int) -> BatonError:
    return BatonError(
        "Other things are being computed",
        where=what,
        why=f"at most {most} wait at a time",
        next_command="baton page   (ask again in a minute)",
        exit_code=ExitCode.UNREACHABLE,
    )
