"""The view handoff_sla: each clause whose clock has started, with its deadline and whether it was kept."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import Calendar, iso, minutes
from tests.oracle.business_time import open_time
from tests.oracle.handoff_events import Handoff, handoffs
from tests.oracle.log import Log, Row, optional_iso
from tests.oracle.playbook import Playbook, Sla

KEY = ("handoff_id", "sla")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per handoff and clause whose clock has started."""
    for handoff in handoffs(log).values():
        for sla in playbook.slas.get((handoff.from_team, handoff.to_team), ()):
            started_at, met_at = _clock(handoff, sla)
            if started_at is not None:
                yield _row(Clause(playbook, handoff, sla), started_at, met_at, as_of)


class Clause:
    """A clause of the playbook as it applies to one handoff."""

    def __init__(self, playbook: Playbook, handoff: Handoff, sla: Sla) -> None:
        self.handoff = handoff
        self.sla = sla
        self._at_risk_share = playbook.at_risk_share
        self._calendar: Calendar = (
            playbook.calendar(handoff.owner, handoff.to_team)
            if sla.is_owed_by_receiver
            else playbook.calendar(None, handoff.from_team)
        )

    def due_at(self, started_at: int) -> int:
        """The deadline of a clock that started then."""
        allowed = self.sla.allowed
        return self._calendar.after(started_at, allowed) if self.sla.is_business else started_at + allowed

    def used_minutes(self, started_at: int, end: int) -> float:
        """Minutes of the clause's clock from its start to an instant."""
        is_business = self.sla.is_business
        return minutes(open_time(self._calendar, started_at, end) if is_business else end - started_at)

    def is_nearly_due(self, used_minutes: float) -> bool:
        """Whether the playbook's share of the allowed time is gone."""
        return used_minutes >= self._at_risk_share * minutes(self.sla.allowed)


def _clock(handoff: Handoff, sla: Sla) -> tuple[int | None, int | None]:
    """When the clause's clock started and when it was met."""
    if sla.id == "answer":
        return handoff.offered_at, handoff.answered_at
    if sla.id == "acknowledge_return":
        returned_at = handoff.returned[-1].occurred_at if handoff.returned else None
        return returned_at, handoff.acknowledged[0].occurred_at if handoff.acknowledged else None
    accepted_at = handoff.accepted[0].occurred_at if handoff.accepted else None
    if sla.id == "first_attempt":
        return accepted_at, handoff.first_attempt_at
    ends = [fact.occurred_at for fact in handoff.human_attempts[sla.attempts - 1 : sla.attempts]]
    if handoff.reached_at is not None:
        ends.append(handoff.reached_at)
    return accepted_at, min(ends, default=None)


def _row(clause: Clause, started_at: int, met_at: int | None, as_of: int) -> Row:
    handoff, sla = clause.handoff, clause.sla
    due_at = clause.due_at(started_at)
    used = clause.used_minutes(started_at, as_of if met_at is None else met_at)
    is_judged = not handoff.is_clock_suspect
    is_past_due = is_judged and met_at is None and as_of > due_at
    return {
        "handoff_id": handoff.handoff_id,
        "sla": sla.id,
        "owed_by": handoff.to_team if sla.is_owed_by_receiver else handoff.from_team,
        "due_at": iso(due_at),
        "met_at": optional_iso(met_at),
        "used_minutes": used,
        "is_clock_suspect": handoff.is_clock_suspect,
        "is_met": is_judged and met_at is not None and met_at <= due_at,
        "is_due": is_past_due or (is_judged and met_at is not None and met_at > due_at),
        "is_past_due": is_past_due,
        "is_at_risk": is_judged and met_at is None and not is_past_due and clause.is_nearly_due(used),
    }
