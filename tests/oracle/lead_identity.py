"""The view lead_identity: which lead each merged lead survives as."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row, first_by
from tests.oracle.playbook import Playbook

KEY = ("lead_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was merged into another."""
    merges = first_by("merged_lead_id", log.merges)
    for lead_id, survivor in log.surviving_leads.items():
        yield {
            "lead_id": lead_id,
            "surviving_lead_id": survivor,
            "into_lead_id": merges[lead_id].fields["lead_id"],
            "merged_at": iso(merges[lead_id].occurred_at),
            "event_id": merges[lead_id].event_id,
        }
