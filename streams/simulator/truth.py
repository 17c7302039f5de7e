"""What is true of a simulated handoff, counted from the story itself: latency, SLAs and black-hole state.

Plain Python over the emitted facts, one lead at a time, with the simulator's own business time. It shares no
code with the views it is held against. minutes = microseconds / 60000000.0; null where nothing is known.
"""

from __future__ import annotations

from typing import Final

from streams.simulator.clock import Calendar, iso, minutes
from streams.simulator.facts import Fact, HandoffFacts, LeadFacts
from streams.simulator.rules import Rules, Sla
from streams.simulator.tellers import Row

STATES: Final = (
    "not_arrived",
    "waiting",
    "at_risk",
    "past_due",
    "accepted_untouched",
    "being_worked",
    "returned_unacknowledged",
    "returned_acknowledged",
    "recycled",
    "converted",
    "lost",
)


def statuses(facts: LeadFacts) -> dict[str, Fact]:
    """The latest OpportunityWon or OpportunityLost of each opportunity that has one."""
    closed: dict[str, Fact] = {}
    for fact in sorted(facts.of("OpportunityWon") + facts.of("OpportunityLost")):
        closed[fact.fields["opportunity_id"]] = fact
    return closed


class HandoffTruth:
    """The measured handoff. Grain: one per handoff offered."""

    def __init__(self, handoff: HandoffFacts, lead: LeadFacts, rules: Rules, as_of: int) -> None:
        self.handoff = handoff
        self.lead = lead
        self.rules = rules
        self.as_of = as_of
        answers = handoff.answers
        self.first_answer = answers[0] if answers else None
        self.last_answer = answers[-1] if answers else None
        self.answered_at = answers[0].occurred_at if answers else None
        self.human_attempts = handoff.human_attempts
        self.first_attempt_at = self.human_attempts[0].occurred_at if self.human_attempts else None
        self.reached_at = handoff.reached[0].occurred_at if handoff.reached else None
        self.owner = handoff.owner
        self.calendar = rules.calendar(self.owner, handoff.to_team)
        milestones = (self.answered_at, self.first_attempt_at, self.reached_at)
        self.is_clock_suspect = any(at is not None and at < handoff.offered_at for at in milestones)

    @property
    def slas(self) -> tuple[Sla, ...]:
        """The clauses of its pair of teams."""
        return self.rules.slas.get((self.handoff.from_team, self.handoff.to_team), ())

    def latency(self) -> Row:
        """The row of handoff_latency."""
        handoff, answer = self.handoff, self.first_answer
        elapsed = business = None
        if self.answered_at is not None:
            elapsed = minutes(self.answered_at - handoff.offered_at)
            business = minutes(self.calendar.between(handoff.offered_at, self.answered_at))
        return {
            "handoff_id": handoff.handoff_id,
            "lead_id": handoff.lead_id,
            "from_team": handoff.from_team,
            "to_team": handoff.to_team,
            "owner": self.owner,
            "offered_at": iso(handoff.offered_at),
            "answered_at": _iso(self.answered_at),
            "answer": None if answer is None else answer.type.removeprefix("Handoff").lower(),
            "elapsed_minutes": elapsed,
            "business_minutes": business,
            "is_clock_suspect": self.is_clock_suspect,
            "first_attempt_at": _iso(self.first_attempt_at),
            "attempts": len(self.human_attempts),
            "reached_at": _iso(self.reached_at),
            **self.segments(),
        }

    def segments(self) -> Row:
        """The parts of the way from the buyer's last signal to the last milestone, in minutes."""
        offered_at, answered_at = self.handoff.offered_at, self.answered_at
        trigger = self._trigger()
        parts: Row = dict.fromkeys(
            (
                "segment_integration",
                "segment_routing",
                "segment_answer",
                "segment_attempt",
                "segment_off_hours",
                "segment_buyer",
            )
        )
        if trigger is not None:
            parts["segment_integration"] = minutes(trigger.recorded_at - trigger.occurred_at)
            parts["segment_routing"] = minutes(offered_at - trigger.recorded_at)
        if answered_at is None:
            return parts
        open_answer = self.calendar.between(offered_at, answered_at)
        parts["segment_answer"] = minutes(open_answer)
        off_hours = answered_at - offered_at - open_answer
        if self.first_attempt_at is not None:
            worked_at = max(self.first_attempt_at, answered_at)
            open_attempt = self.calendar.between(answered_at, worked_at)
            parts["segment_attempt"] = minutes(open_attempt)
            off_hours += worked_at - answered_at - open_attempt
            if self.reached_at is not None:
                parts["segment_buyer"] = minutes(max(self.reached_at, worked_at) - worked_at)
        parts["segment_off_hours"] = minutes(off_hours)
        return parts

    def _trigger(self) -> Fact | None:
        """The lead's latest inbound human touch at or before the offer."""
        found = None
        for touch in self.lead.of("TouchRecorded"):
            if touch.occurred_at > self.handoff.offered_at:
                break
            if touch.fields["is_inbound"] and not touch.fields["is_automated"]:
                found = touch
        return found

    def sla_rows(self) -> list[Row]:
        """The rows of handoff_sla: one per clause whose clock has started."""
        rows = []
        for sla in self.slas:
            start, met_at = self._clock_of(sla)
            if start is not None:
                rows.append(self._sla_row(sla, start, met_at))
        return rows

    def _clock_of(self, sla: Sla) -> tuple[int | None, int | None]:
        """When the clause's clock started and when it was met."""
        handoff = self.handoff
        if sla.id == "answer":
            return handoff.offered_at, self.answered_at
        if sla.id == "acknowledge_return":
            start = handoff.returned[-1].occurred_at if handoff.returned else None
            return start, handoff.acknowledged[0].occurred_at if handoff.acknowledged else None
        start = handoff.accepted[0].occurred_at if handoff.accepted else None
        if sla.id == "first_attempt":
            return start, self.first_attempt_at
        enough = self.human_attempts[sla.attempts - 1 : sla.attempts]
        ends = [fact.occurred_at for fact in enough]
        if self.reached_at is not None:
            ends.append(self.reached_at)
        return start, min(ends, default=None)

    def _calendar_of(self, sla: Sla) -> Calendar:
        return self.calendar if sla.is_owed_by_receiver else self.rules.team_calendar(self.handoff.from_team)

    def due_at(self, sla: Sla, start: int) -> int:
        """The deadline of a clause whose clock started at `start`."""
        return self._calendar_of(sla).after(start, sla.allowed) if sla.is_business else start + sla.allowed

    def used(self, sla: Sla, start: int, end: int) -> float:
        """Minutes of the clause's clock from start to end."""
        return minutes(self._calendar_of(sla).between(start, end) if sla.is_business else end - start)

    def is_nearly_due(self, sla: Sla, used_minutes: float) -> bool:
        """Whether the playbook's share of the allowed time is gone."""
        return used_minutes >= self.rules.at_risk_share * minutes(sla.allowed)

    def _sla_row(self, sla: Sla, start: int, met_at: int | None) -> Row:
        due_at = self.due_at(sla, start)
        used = self.used(sla, start, self.as_of if met_at is None else met_at)
        is_judged = not self.is_clock_suspect
        is_past_due = is_judged and met_at is None and self.as_of > due_at
        return {
            "handoff_id": self.handoff.handoff_id,
            "sla": sla.id,
            "owed_by": self.handoff.to_team if sla.is_owed_by_receiver else self.handoff.from_team,
            "due_at": iso(due_at),
            "met_at": _iso(met_at),
            "used_minutes": used,
            "is_clock_suspect": self.is_clock_suspect,
            "is_met": is_judged and met_at is not None and met_at <= due_at,
            "is_due": is_past_due or (is_judged and met_at is not None and met_at > due_at),
            "is_past_due": is_past_due,
            "is_at_risk": is_judged and met_at is None and not is_past_due and self.is_nearly_due(sla, used),
        }

    def state(self, closed: dict[str, Fact]) -> str:
        """Where the handoff is: exactly one of STATES, first match wins."""
        handoff = self.handoff
        if handoff.opportunities:
            ends = [closed.get(fact.fields["opportunity_id"]) for fact in handoff.opportunities]
            is_lost = all(end is not None and end.type == "OpportunityLost" for end in ends)
            return "lost" if is_lost else "converted"
        if self.last_answer is None:
            return self._unanswered()
        if self.last_answer.type == "HandoffReturned":
            return self._returned()
        return "being_worked" if self.human_attempts or handoff.reached else "accepted_untouched"

    def _returned(self) -> str:
        if self.handoff.is_recycled:
            return "recycled"
        if not self.handoff.acknowledged:
            return "returned_unacknowledged"
        disposition = self.handoff.acknowledged[0].fields["disposition"]
        return "lost" if disposition == "disqualify" else "returned_acknowledged"

    def _unanswered(self) -> str:
        if not self.handoff.is_arrived:
            return "not_arrived"
        answer = next((sla for sla in self.slas if sla.id == "answer"), None)
        if answer is None:
            return "waiting"
        offered_at = self.handoff.offered_at
        if self.as_of > self.due_at(answer, offered_at):
            return "past_due"
        is_near = self.is_nearly_due(answer, self.used(answer, offered_at, self.as_of))
        return "at_risk" if is_near else "waiting"


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)
