"""The loop that keeps the read models up: soon after a commit, and at most half of the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from streams.worker.shutdown import wait_for_stop
from warehouse.read_models import ReadModels, Refreshed

EVERY_SECONDS = 0.1
# Rest as long as a refresh took: the sink has its share, and what comes meanwhile is refreshed together.
REST_PER_WORK = 1


class ReadModelLoop:
    """Runs ReadModels.refresh on its own thread."""

    def __init__(self, read_models: ReadModels, commits: Callable[[], int]) -> None:
        """commits: how many batches the sink has committed."""
        self.read_models = read_models
        self.commits = commits

    async def run(self, stop: asyncio.Event) -> None:
        """Refresh until `stop`. Raises any error; a refresh is one transaction."""
        loop = asyncio.get_running_loop()
        last: Refreshed | None = None
        refreshed_commits = -1
        with ThreadPoolExecutor(1, "refresh") as pool:
            while not stop.is_set():
                commits = self.commits()
                work_seconds = 0.0
                if commits != refreshed_commits or _is_due(last):
                    started = time.monotonic()
                    last = await loop.run_in_executor(pool, self.read_models.refresh)
                    work_seconds = time.monotonic() - started
                    refreshed_commits = commits
                await wait_for_stop(stop, max(EVERY_SECONDS, REST_PER_WORK * work_seconds))


def _is_due(last: Refreshed | None) -> bool:
    """Without new commits: whether something that was reported ahead of its time has happened by now."""
    now = datetime.now(UTC)
    return last is None or (last.next_event_at is not None and last.as_of < last.next_event_at <= now)
