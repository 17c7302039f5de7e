"""The page as known on a day: computed once from what was recorded by then, in the background, and then
kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta

from schemas.errors import BatonError, ExitCode
from streams.web.answers import Answers
from streams.web.source import Source, WarehouseSource
from warehouse.recorded_log import RecordedLog

MOST_DAYS = 2  # each holds a copy of the numbers in memory


class StillComputing(Exception):
    """A day that is being computed. seconds: since when; took: what the last one took, or 0."""

    def __init__(self, day: str, seconds: float, took: float) -> None:
        super().__init__(day)
        self.day, self.seconds, self.took = day, seconds, took

    @property
    def share(self) -> int:
        """About how much is done, in percent; the last tenth is never promised."""
        return min(90, round(90 * self.seconds / self.took)) if self.took else 0


class KnownDays:
    """The answers now, and as known on a few days. One day is computed at a time."""

    def __init__(self, source: Source) -> None:
        self.now = Answers(source)
        self._days: OrderedDict[str, tuple[Answers, AbstractContextManager[RecordedLog]]] = OrderedDict()
        self._failures: dict[str, BatonError] = {}
        self._begun: dict[str, float] = {}
        self._took = 0.0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def answers(self, day: str) -> Answers:
        """Those of a day (its end, in UTC), or of now when it is empty. Raises StillComputing while they are
        not there, and once BatonError when they cannot be."""
        if not day:
            return self.now
        with self._lock:
            if day in self._days:
                self._days.move_to_end(day)
                return self._days[day][0]
            if day in self._failures:
                raise self._failures.pop(day)
            if day not in self._begun and len(self._begun) > MOST_DAYS:
                raise _busy(day)
            if day not in self._begun:
                self._begun[day] = time.monotonic()
                threading.Thread(
                    target=self._compute, args=(day,), name="baton-page-known", daemon=True
                ).start()
            raise StillComputing(day, time.monotonic() - self._begun[day], self._took)

    def _compute(self, day: str) -> None:
        with self._turn:
            begun = time.monotonic()
            kept: AbstractContextManager[RecordedLog] = nullcontext()  # type: ignore[assignment]
            try:
                end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), UTC)
                kept = self.now.source.recorded(None)
                records = kept.__enter__()
                snapshot = records.snapshot(self.now.source.authority(), known_at=end)
                answers = Answers(WarehouseSource(snapshot, still=f"known-{day}"))
            except Exception as error:  # whoever asked for the day reads why
                kept.__exit__(None, None, None)
                with self._lock:
                    self._failures[day] = _failed(day, error)
                    del self._begun[day]
                return
            with self._lock:
                self._took = time.monotonic() - begun
                self._days[day] = (answers, kept)
                del self._begun[day]
                while len(self._days) > MOST_DAYS:
                    _, (_, oldest) = self._days.popitem(last=False)
                    oldest.__exit__(None, None, None)

    def close(self) -> None:
        """Let go of all days."""
        with self._lock:
            while self._days:
                self._days.popitem()[1][1].__exit__(None, None, None)


def _failed(day: str, error: Exception) -> BatonError:
    if isinstance(error, BatonError):
        return error
    return BatonError(
        "The numbers as known on a day could not be computed",
        where=day,
        why=str(error).splitlines()[0] if str(error) else type(error).__name__,
        next_command=f'baton sql --as-known {day} "from funnel.goal_attainment"',
    )


def _busy(day: str) -> BatonError:
    return BatonError(
        "Other days are being computed",
        where=day,
        why=f"at most {MOST_DAYS} wait at a time",
        next_command="baton page   (ask for this day again in a minute)",
        exit_code=ExitCode.UNREACHABLE,
    )
