"""The view lead_identity: which lead each merged lead survives as."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("lead_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per lead that was merged into another."""
    for lead_id, (survivor, merge) in log.merged["lead"].items():
        yield {
            "lead_id": lead_id,
            "surviving_lead_id": survivor,
            "into_lead_id": merge.fields["lead_id"],
            "merged_at": iso(merge.occurred_at),
            "event_id": merge.event_id,
        }
