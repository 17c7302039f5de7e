"""The view handoff: the one state that each handoff is in."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracle.deals import deals
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.handoff_sla import Clause
from tests.oracle.log import Log, Row
from tests.oracle.playbook import Playbook

KEY = ("handoff_id",)


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff offered."""
    for handoff in handoffs(log).values():
        yield {"handoff_id": handoff.handoff_id, "state": _state(log, playbook, as_of, handoff)}


def _state(log: Log, playbook: Playbook, as_of: int, handoff: Handoff) -> str:
    """The first state that applies: what came of it, then its last answer, then its clock."""
    if handoff.opportunities:
        of_handoff = [deals(log, playbook)[fact.fields["opportunity_id"]] for fact in handoff.opportunities]
        return "lost" if all(deal.status == "lost" for deal in of_handoff) else "converted"
    if not handoff.answers:
        return _unanswered(playbook, as_of, handoff)
    if handoff.answers[-1].type == "HandoffReturned":
        return _returned(handoff)
    return "being_worked" if handoff.human_attempts or handoff.reached else "accepted_untouched"


def _returned(handoff: Handoff) -> str:
    if handoff.is_recycled:
        return "recycled"
    if not handoff.acknowledged:
        return "returned_unacknowledged"
    disposition = handoff.acknowledged[0].fields["disposition"]
    return "lost" if disposition == "disqualify" else "returned_acknowledged"


def _unanswered(playbook: Playbook, as_of: int, handoff: Handoff) -> str:
    if not handoff.is_arrived:
        return "not_arrived"
    slas = playbook.slas.get((handoff.from_team, handoff.to_team), ())
    answer = next((sla for sla in slas if sla.id == "answer"), None)
    if answer is None:
        return "waiting"
    clause = Clause(playbook, handoff, answer)
    if as_of > clause.due_at(handoff.offered_at):
        return "past_due"
    is_near = clause.is_nearly_due(clause.used_minutes(handoff.offered_at, as_of))
    return "at_risk" if is_near else "waiting"
