"""The loop that measures handoffs: soon after a commit, at a bounded load, and when a deadline passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from streams.worker.shutdown import wait_for_stop
from warehouse.measurement import Measured, Measurement

EVERY_SECONDS = 2.0
# Measure at most a tenth of the time: the sink has priority.
REST_PER_WORK = 9


class MeasurementLoop:
    """Runs Measurement on its own thread, at most a tenth of the time."""

    def __init__(
        self,
        measurement: Measurement,
        is_caught_up: Callable[[], bool],
        commits: Callable[[], int],
    ) -> None:
        """is_caught_up: whether the sink has read what Kafka holds. Until then a missing answer may only be
        unread, so nothing is measured. commits: how many batches the sink has committed."""
        self.measurement = measurement
        self.is_caught_up = is_caught_up
        self.commits = commits

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop`. Raises any error; a pass is atomic."""
        loop = asyncio.get_running_loop()
        last: Measured | None = None
        measured_commits = -1
        with ThreadPoolExecutor(1, "measure") as pool:
            while not stop.is_set():
                commits = self.commits()
                is_due = commits != measured_commits or await loop.run_in_executor(pool, self._is_due, last)
                work_seconds = 0.0
                if is_due and self.is_caught_up():
                    started = time.monotonic()
                    last = await loop.run_in_executor(pool, self.measurement.measure)
                    work_seconds = time.monotonic() - started
                    measured_commits = commits
                await wait_for_stop(stop, max(EVERY_SECONDS, REST_PER_WORK * work_seconds))

    def _is_due(self, last: Measured | None) -> bool:
        """Without new commits: whether the last pass left something, or a deadline has passed since."""
        if last is None or not last.is_all:
            return True
        as_of = self.measurement.as_of()
        return as_of < last.as_of or (last.next_deadline_at is not None and as_of > last.next_deadline_at)
