"""The loop that refreshes read models, and measures handoffs: soon after a commit, and when time has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from streams.worker.meters import Durations
from streams.worker.shutdown import wait_for_stop
from warehouse.measurement import Measured, Measurement
from warehouse.read_models import ReadModels, Refreshed

EVERY_SECONDS = 0.1
# Rest as long as the work took: the sink has its share, and what comes meanwhile is looked at together. While
# the sink reads a backlog it has priority.
REST_PER_WORK = 1
REST_PER_WORK_BEHIND = 9


class RefreshLoop:
    """Runs ReadModels.refresh, or Measurement once the sink is caught up, on a thread of its own."""

    def __init__(
        self,
        read_models: ReadModels,
        measurement: Measurement | None,
        is_caught_up: Callable[[], bool],
        commits: Callable[[], int],
        durations: Durations | None = None,
    ) -> None:
        """measurement: None where handoffs are not measured. is_caught_up: whether the sink has read what
        Kafka holds. Until then a missing answer may only be unread, so nothing is measured. commits: how many
        batches the sink has committed. durations: where to count the work, for others to read."""
        self.read_models = read_models
        self.measurement = measurement
        self.is_caught_up = is_caught_up
        self.commits = commits
        self.durations = durations or Durations()

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh and measure until `stop`. Raises any error; each is a transaction."""
        loop = asyncio.get_running_loop()
        last: Measured | Refreshed | None = None
        seen_commits = -1
        with ThreadPoolExecutor(1, "refresh") as pool:
            while not stop.is_set():
                commits, is_caught_up = self.commits(), self.is_caught_up()
                measurement = self.measurement if is_caught_up else None
                work_seconds = 0.0
                if commits != seen_commits or self._is_due(last, measurement is not None):
                    started = time.monotonic()
                    work = measurement.measure if measurement else self.read_models.refresh
                    last = await loop.run_in_executor(pool, work)
                    work_seconds = time.monotonic() - started
                    self.durations.note(work_seconds)
                    seen_commits = commits
                rest = REST_PER_WORK if is_caught_up else REST_PER_WORK_BEHIND
                await wait_for_stop(stop, max(EVERY_SECONDS, rest * work_seconds))

    def _is_due(self, last: Measured | Refreshed | None, is_measuring: bool) -> bool:
        """Without new commits: whether something is left to do, or its time has come since."""
        if last is None or (isinstance(last, Refreshed) and is_measuring):
            return True
        if isinstance(last, Measured) and not last.is_all:
            return True
        return last.next_at is not None and last.as_of <= last.next_at < datetime.now(UTC)
