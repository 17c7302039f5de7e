"""The view handoff: the one state that each handoff is in."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.deals import deals
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Log, Row
from tests.oracle.obligation import obligations_of
from tests.oracle.playbook import Playbook

KEY = ("handoff_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff offered."""
    for handoff in handoffs(log).values():
        yield {"handoff_id": handoff.handoff_id, "state": _state(log, playbook, as_of, handoff)}


def _state(log: Log, playbook: Playbook, as_of: int, handoff: Handoff) -> str:
    """The first state that applies: what came of it, then its last answer, then its clock."""
    if handoff.opportunities:
        of_handoff = [deals(log)[fact.fields["opportunity_id"]] for fact in handoff.opportunities]
        return "lost" if all(deal.status == "lost" for deal in of_handoff) else "converted"
    if not handoff.answers:
        return _unanswered(playbook, as_of, handoff)
    if handoff.answers[-1].type == "HandoffReturned":
        return _returned(handoff)
    return "being_worked" if handoff.human_attempts or handoff.reached else "accepted_untouched"


def _returned(handoff: Handoff) -> str:
    if handoff.is_recycled:
        return "recycled"
    acknowledgement = handoff.acknowledgement
    if acknowledgement is None:
        return "returned_unacknowledged"
    disposition = acknowledgement.fields["disposition"]
    return "lost" if disposition == "disqualify" else "returned_acknowledged"


def _unanswered(playbook: Playbook, as_of: int, handoff: Handoff) -> str:
    if handoff.reached:
        return "being_worked"
    if handoff.merged_at is not None:
        return "moot"
    if not handoff.is_arrived:
        return "not_arrived"
    for owed in obligations_of(handoff, playbook, as_of):
        if owed.sla.id == "answer":
            if owed.outcome == "missed":
                return "past_due"
            return "at_risk" if owed.is_nearly_due else "waiting"
    return "waiting"
