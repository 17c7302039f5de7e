"""What the systems between the story and Kafka add: wrong clocks, delays, reordering, duplicates.

Story and disorder are independent: with other shares the same events happen, and only their recorded times
and order of arrival differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.simulator.chance import Dice
from streams.simulator.clock import DAY, HOUR, MINUTE, SECOND

# Median seconds and spread from a source's clock to the moment Baton accepts the event.
DELAYS: Mapping[str, tuple[float, float]] = {
    "segment": (2.0, 0.8),
    "salesforce": (4.0, 1.0),
    "hubspot": (9.0, 1.1),
    "gainsight": (30.0, 1.0),
    "dialer": (150.0, 0.7),
    "netsuite": (5 * 3600.0, 0.4),
    "baton": (0.3, 0.3),
}
SHORTEST_LATE = HOUR
LONGEST_LATE = 90 * DAY


class Sighting(NamedTuple):
    """How one event arrives: its time by the source's clock, and when it and its copy arrive."""

    occurred_at: int
    recorded_at: int
    arrives_at: int
    repeated_at: int | None


class Disorder:
    """Draws the sightings of one story from its own random stream."""

    def __init__(self, key: str, late: float, duplicates: float, clock_errors: Mapping[str, int]) -> None:
        self._dice = Dice(key)
        self._late = late
        self._duplicates = duplicates
        self._clock_errors = clock_errors

    def see(self, at: int, source: str, by: str | None) -> Sighting:
        """The sighting of an event that truly happened at `at`, reported by `source` for the person `by`."""
        dice, errors = self._dice, self._clock_errors
        error = errors.get(source, 0) or (errors.get(by, 0) if by else 0)
        if dice.random() < self._late:
            delay = int(SHORTEST_LATE * (LONGEST_LATE / SHORTEST_LATE) ** dice.random())
        else:
            delay = int(dice.around(*DELAYS[source]) * SECOND)
        recorded_at = at + delay
        # Partitions and retries reorder neighbouring events, occasionally by minutes.
        jitter = int(dice.random() * (3 * SECOND if dice.random() < 0.97 else 20 * MINUTE))
        repeated_at = None
        if dice.random() < self._duplicates:
            repeated_at = recorded_at + jitter + int(dice.around(90, 2.4) * SECOND)
        return Sighting(at + error, recorded_at, recorded_at + jitter, repeated_at)
