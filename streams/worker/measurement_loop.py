"""The loop that measures handoffs: soon after news, gently, and when a deadline passes in silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from streams.worker.shutdown import wait_for_stop
from warehouse.measurement import Measured, Measurement

EVERY_SECONDS = 2.0
# One part measuring, nine parts not: the sink comes first.
REST_PER_WORK = 9


class MeasurementLoop:
    """Runs Measurement on a thread of its own, at most a tenth of the time."""

    def __init__(
        self,
        measurement: Measurement,
        is_caught_up: Callable[[], bool],
        commits: Callable[[], int],
    ) -> None:
        """is_caught_up: has the sink read what Kafka holds? While it has not, an answer that is missing may
        only be unread, so nothing is measured. commits: how many batches it has committed."""
        self.measurement = measurement
        self.is_caught_up = is_caught_up
        self.commits = commits

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop`. Raises whatever goes wrong; a pass is whole or did not happen."""
        loop = asyncio.get_running_loop()
        last: Measured | None = None
        seen = -1
        with ThreadPoolExecutor(1, "measure") as pool:
            while not stop.is_set():
                commits = self.commits()
                is_news = commits != seen or await loop.run_in_executor(pool, self._is_due, last)
                work_seconds = 0.0
                if is_news and self.is_caught_up():
                    started = time.monotonic()
                    last = await loop.run_in_executor(pool, self.measurement.measure)
                    work_seconds = time.monotonic() - started
                    seen = commits
                await wait_for_stop(stop, max(EVERY_SECONDS, REST_PER_WORK * work_seconds))

    def _is_due(self, last: Measured | None) -> bool:
        """Without news: is something left over from the last pass, or has a deadline passed since?"""
        if last is None or not last.is_all:
            return True
        as_of = self.measurement.as_of()
        return as_of < last.as_of or (last.next_deadline_at is not None and as_of > last.next_deadline_at)
