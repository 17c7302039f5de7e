"""The view freshness: how recent the events of each system are, and how late they arrived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from streams.simulator.clock import iso, minutes
from tests.oracle.log import Fact, Log, Row
from tests.oracle.playbook import Playbook

KEY = ("source", "event_type")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per source and event type of which something was recorded by then."""
    heard: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in log.facts:
        if fact.recorded_at <= as_of:
            heard[(fact.fields["source"], fact.type)].append(fact)
    for (source, type_), facts in heard.items():
        timed = [fact for fact in facts if not fact.is_day_only]
        delays = sorted(minutes(fact.recorded_at - fact.occurred_at) for fact in timed)
        last = max(fact.recorded_at for fact in facts)
        yield {
            "source": source,
            "event_type": type_,
            "events": len(facts),
            "last_occurred_at": iso(min(as_of, max(fact.occurred_at for fact in facts))),
            "last_recorded_at": iso(last),
            "minutes_since_last": minutes(as_of - last),
            "median_delay_minutes": _percentile(delays, 0.5),
            "p95_delay_minutes": _percentile(delays, 0.95),
            "log_lost_at": None,  # a log knows nothing of what it lost
        }


def _percentile(in_order: list[float], share: float) -> float | None:
    """Between the two nearest, in proportion; None without values."""
    if len(in_order) < 2:
        return in_order[0] if in_order else None
    place = share * (len(in_order) - 1)
    low = min(int(place), len(in_order) - 2)
    return in_order[low] + (place - low) * (in_order[low + 1] - in_order[low])
