"""The view feedback_loop: how returned leads were answered and what came of them, by teams and reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from tests.oracle import handoff_sla
from tests.oracle.deals import deals
from tests.oracle.handoff_events import Handoff, handoffs, in_order
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("from_team", "to_team", "reason_code")
DISPOSITIONS = ("nurture", "fix_data", "reroute", "disqualify")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per pair of teams and reason of the handoff's last return."""
    returned: dict[tuple[str, str, str], list[Handoff]] = defaultdict(list)
    for handoff in handoffs(log).values():
        if handoff.returned:
            reason = max(handoff.returned, key=in_order).fields["reason_code"]
            returned[handoff.from_team, handoff.to_team, reason].append(handoff)
    slas = {
        row["handoff_id"]: row
        for row in handoff_sla.rows(log, playbook, as_of)
        if row["sla"] == "acknowledge_return"
    }
    for key, group in returned.items():
        answers = [h.acknowledgement.fields["disposition"] for h in group if h.acknowledgement]
        owed = [slas[h.handoff_id] for h in group if h.handoff_id in slas]
        minutes = [
            row["used_minutes"] for row in owed if row["met_at"] is not None and not row["is_clock_suspect"]
        ]
        yield {
            **dict(zip(KEY, key, strict=True)),
            "returned": len(group),
            "acknowledged": len(answers),
            "acknowledged_in_time": sum(row["is_met"] for row in owed),
            "past_due": sum(row["is_past_due"] for row in owed),
            **{name: answers.count(name) for name in DISPOSITIONS},
            "other_disposition": sum(name not in DISPOSITIONS for name in answers),
            "offered_again": sum(handoff.is_recycled for handoff in group),
            "converted_after": sum(_is_converted_after(log, handoff) for handoff in group),
            "median_ack_minutes": median(minutes) if minutes else None,
            "n": len(minutes),
        }


def _is_converted_after(log: Log, handoff: Handoff) -> bool:
    """Whether a deal of its lead was opened after the return."""
    returned_at = handoff.returned[-1].occurred_at
    return any(
        deal.opened_at is not None and deal.opened_at > returned_at and deal.lead_id == handoff.lead_id
        for deal in deals(log).values()
    )
