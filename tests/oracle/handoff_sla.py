"""The view handoff_sla: of each clause the latest time it was owed, with its deadline and whether it was kept."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso, minutes
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.obligation import Obligation, obligations
from tests.oracle.playbook import Playbook

KEY = ("handoff_id", "sla")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff and clause whose clock has started."""
    latest: dict[tuple[str, str], Obligation] = {}
    for owed in obligations(log, playbook, as_of):
        latest[owed.handoff.handoff_id, owed.sla.id] = owed  # they come in order
    for owed in latest.values():
        handoff, sla = owed.handoff, owed.sla
        is_judged = not owed.is_clock_suspect
        is_due = is_judged and owed.outcome == "missed"
        yield {
            "handoff_id": handoff.handoff_id,
            "sla": sla.id,
            "owed_by": handoff.to_team if sla.is_owed_by_receiver else handoff.from_team,
            "owner": handoff.owner if sla.is_owed_by_receiver else None,
            "starts_at": iso(owed.starts_at),
            "due_at": optional_iso(owed.due_at),
            "met_at": optional_iso(owed.met_at),
            "used_minutes": minutes(owed.used_time),
            "is_clock_suspect": owed.is_clock_suspect,
            "is_met": is_judged and owed.outcome == "met",
            "is_due": is_due,
            "is_past_due": is_due and owed.ended_at is None,
            "is_at_risk": is_judged and owed.outcome == "open" and owed.is_nearly_due,
            "episode": owed.number,
            "outcome": owed.outcome,
        }
