"""The view speed_to_lead: how long buyers wait for a human, by dimension, in windows of every unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from streams.simulator.clock import MINUTE
from tests.oracle import handoff_latency
from tests.oracle.log import Log, Row, instant_of
from tests.oracle.percentiles import percentile
from tests.oracle.playbook import Playbook
from tests.oracle.slices import KEY, Slice, slices

__all__ = ["KEY", "rows"]


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per slice and window with a signal that was handed over."""
    offers: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in handoff_latency.rows(log, playbook, as_of):
        if row["signal_at"] is not None:
            offers[row["lead_id"], instant_of(row["signal_at"])].append(row)
    found: dict[Slice, list[tuple[int | None, int | None]]] = defaultdict(list)
    for (lead_id, signal_at), of_signal in offers.items():
        waits = (_wait("first_attempt_at", signal_at, of_signal), _wait("reached_at", signal_at, of_signal))
        for each in slices(log, playbook, lead_id, signal_at):
            found[each].append(waits)
    for each, of_slice in found.items():
        agreeing = [waits for waits in of_slice if all(wait is None or wait >= 0 for wait in waits)]
        attempts = [attempt for attempt, _ in agreeing if attempt is not None]
        contacts = [contact for _, contact in agreeing if contact is not None]
        yield {
            **each.row(),
            "signals": len(of_slice),
            "attempted": len(attempts),
            **{f"within_{n}_minutes": sum(wait < n * MINUTE for wait in attempts) for n in (5, 15, 60)},
            "reached": len(contacts),
            "waiting": sum(waits == (None, None) for waits in agreeing),
            "clock_suspect": len(of_slice) - len(agreeing),
            **{f"p{n}_minutes": _minutes(percentile(attempts, n / 100)) for n in (50, 90, 95)},
            "p50_contact_minutes": _minutes(percentile(contacts, 0.5)),
        }


def _wait(milestone: str, signal_at: int, offers: list[Row]) -> int | None:
    reached = [instant_of(row[milestone]) for row in offers if row[milestone] is not None]
    return min(reached) - signal_at if reached else None


def _minutes(wait: float | None) -> float | None:
    return None if wait is None else wait / MINUTE
