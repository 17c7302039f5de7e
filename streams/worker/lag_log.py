"""The lag log: how far behind a worker is, every few seconds while it is, and once when it has caught up."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.worker.meters import Progress

LOG_EVERY_SECONDS = 5.0
BEHIND_FROM = 20_000


class LagLog:
    """Called after every commit. Silent while the worker keeps up."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._behind_since: float | None = None
        self._read_before = 0
        self._logged_at = 0.0

    def __call__(self, progress: Progress) -> None:
        """Takes the sink's progress after a commit."""
        now = self._clock()
        if self._behind_since is None:
            if progress.waiting < BEHIND_FROM:
                return
            self._behind_since, self._read_before, self._logged_at = now, progress.records, now
            self._write(f"catching up: {progress.waiting:,} records wait in Kafka")
            return
        read = progress.records - self._read_before
        rate = read / max(now - self._behind_since, 0.001)
        if progress.waiting == 0:
            self._write(f"caught up: {read:,} records, {rate:,.0f} a second")
            self._behind_since = None
        elif now - self._logged_at >= LOG_EVERY_SECONDS:
            self._logged_at = now
            share = read / (read + progress.waiting)
            left = progress.waiting / max(rate, 1)
            self._write(f"catching up: {share:.0%}, {rate:,.0f} records a second, about {left:,.0f} s to go")
