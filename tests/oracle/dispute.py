"""The view dispute: each dispute about a number, and how it was resolved."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import DAY, iso
from tests.oracle.log import Log, Row, first_by, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("dispute_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per dispute opened; its last resolution counts."""
    resolutions = {fact.fields["dispute_id"]: fact for fact in log.of("DisputeResolved")}
    for dispute_id, opened in first_by("dispute_id", log.of("DisputeOpened")).items():
        end = resolutions.get(dispute_id)
        until = as_of if end is None else end.occurred_at
        yield {
            "dispute_id": dispute_id,
            "opened_at": iso(opened.occurred_at),
            "opened_by_team": opened.fields["opened_by_team"],
            "subject_kind": opened.fields["subject_kind"],
            "subject_id": opened.fields["subject_id"],
            "reason": opened.fields["reason"],
            "resolved_at": optional_iso(end and end.occurred_at),
            "resolution": end and end.fields["resolution"],
            "resolved_by": end and end.fields["resolved_by"],
            "open_days": (until - opened.occurred_at) / DAY,
            "is_open": end is None,
        }
