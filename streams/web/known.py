"""The page as known on a day: computed once from what was recorded by then, in the background, and then
kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import date

from streams.queries.known_days import end_of
from streams.web.answers import Answers
from streams.web.background import Background
from streams.web.source import Source, WarehouseSource
from warehouse.recorded_log import RecordedLog

MOST_DAYS = 2  # each holds a copy of the numbers in memory

_Day = tuple[Answers, AbstractContextManager[RecordedLog]]


class KnownDays:
    """The answers now, and as known on a few days."""

    def __init__(self, source: Source) -> None:
        self.now = Answers(source)
        self._days: Background[_Day] = Background(self._compute, MOST_DAYS, _let_go)

    def answers(self, day: str) -> Answers:
        """Those of a day (its end, in UTC), or of now when it is empty. Raises StillComputing while they are
        not there, and once BatonError when they cannot be."""
        if not day:
            return self.now
        return self._days.of(day, f"the numbers as known on {day}")[0]

    def _compute(self, day: str) -> _Day:
        kept = self.now.source.recorded(None)
        records = kept.__enter__()
        try:
            snapshot = records.snapshot(self.now.source.authority(), known_at=end_of(date.fromisoformat(day)))
            return Answers(WarehouseSource(snapshot, still=f"known-{day}")), kept
        except BaseException:
            kept.__exit__(None, None, None)
            raise

    def close(self) -> None:
        """Let go of all days."""
        self._days.close()


def _let_go(day: _Day) -> None:
    day[1].__exit__(None, None, None)
