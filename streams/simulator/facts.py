"""The facts of one lead as they were emitted, arranged for the truth: by handoff and by opportunity.

Grain of `LeadFacts`: one lead, with every distinct event that belongs to it. Copies are not kept, for a copy
is byte-identical and changes nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Fact(NamedTuple):
    """An emitted event. Facts sort by (occurred_at, event_id), which is how every tie is settled."""

    occurred_at: int
    event_id: str
    type: str
    recorded_at: int
    fields: dict[str, Any]


def _order(fact: Fact) -> tuple[int, str]:
    return fact.occurred_at, fact.event_id


class HandoffFacts:
    """Everything linked to one offered handoff. Lists are in order of (occurred_at, event_id)."""

    def __init__(self, offer: Fact) -> None:
        self.handoff_id: str = offer.fields["handoff_id"]
        self.lead_id: str = offer.fields["lead_id"]
        self.from_team: str = offer.fields["from_team"]
        self.to_team: str = offer.fields["to_team"]
        self.previous: str | None = offer.fields["previous_handoff_id"]
        self.offer = offer
        self.offered_at = offer.occurred_at
        self.accepted: list[Fact] = []
        self.returned: list[Fact] = []
        self.reassigned: list[Fact] = []
        self.acknowledged: list[Fact] = []
        self.attempts: list[Fact] = []
        self.reached: list[Fact] = []
        self.opportunities: list[Fact] = []
        self.is_recycled = False

    @property
    def answers(self) -> list[Fact]:
        """Acceptances and returns, in order."""
        if self.accepted and self.returned:
            return sorted(self.accepted + self.returned, key=_order)
        return self.accepted or self.returned

    @property
    def human_attempts(self) -> list[Fact]:
        """Attempts that no machine made, in order."""
        return [fact for fact in self.attempts if not fact.fields["is_automated"]]

    @property
    def owner(self) -> str | None:
        """The first answer's owner, else whom it was last reassigned to, else whom it was offered to."""
        answers = self.answers
        if answers and answers[0].fields["owner"]:
            return str(answers[0].fields["owner"])
        last = self.reassigned[-1].fields["to_owner"] if self.reassigned else None
        owner: str | None = last or self.offer.fields["owner"]
        return owner

    @property
    def is_arrived(self) -> bool:
        """Whether the receiving side gave any sign of it."""
        return bool(
            self.reassigned
            or self.accepted
            or self.returned
            or self.attempts
            or self.reached
            or self.opportunities
        )


ANSWERING = {
    "HandoffAccepted": "accepted",
    "HandoffReturned": "returned",
    "HandoffReassigned": "reassigned",
    "FeedbackAcknowledged": "acknowledged",
}
LINKED = {"ContactAttempted": "attempts", "BuyerReached": "reached", "OpportunityOpened": "opportunities"}


class LeadFacts:
    """The emitted events of a lead by type, in order, and its handoffs with what is linked to them."""

    def __init__(self, facts: list[Fact]) -> None:
        self.by_type: dict[str, list[Fact]] = {}
        facts.sort(key=_order)
        for fact in facts:
            self.by_type.setdefault(fact.type, []).append(fact)
        self.handoffs: dict[str, HandoffFacts] = {}
        for offer in self.of("HandoffOffered"):
            self.handoffs.setdefault(offer.fields["handoff_id"], HandoffFacts(offer))
        if self.handoffs:
            self._link()

    def of(self, type_: str) -> list[Fact]:
        """Facts of a type, earliest first."""
        return self.by_type.get(type_, [])

    def _link(self) -> None:
        for type_, name in ANSWERING.items():
            for fact in self.of(type_):
                handoff = self.handoffs.get(fact.fields["handoff_id"])
                if handoff is not None:
                    getattr(handoff, name).append(fact)
        by_offer = sorted(self.handoffs.values(), key=lambda h: (h.offered_at, h.handoff_id))
        for type_, name in LINKED.items():
            for fact in self.of(type_):
                handoff = self._handoff_of(fact, by_offer)
                if handoff is not None:
                    getattr(handoff, name).append(fact)
        self._convert_all_who_handed_on(by_offer)
        for handoff in by_offer:
            recycled = self.handoffs.get(handoff.previous or "")
            if recycled is not None and recycled is not handoff:
                recycled.is_recycled = True

    def _convert_all_who_handed_on(self, by_offer: list[HandoffFacts]) -> None:
        """A deal is also the success of every earlier handoff of its lead that ended accepted."""
        for opening in self.of("OpportunityOpened"):
            for handoff in by_offer if opening.fields["lead_id"] is not None else ():
                is_earlier = handoff.offered_at <= opening.occurred_at
                is_accepted = handoff.answers and handoff.answers[-1].type == "HandoffAccepted"
                if is_earlier and is_accepted and opening not in handoff.opportunities:
                    handoff.opportunities.append(opening)

    def _handoff_of(self, fact: Fact, by_offer: list[HandoffFacts]) -> HandoffFacts | None:
        """The handoff the event names, else the lead's latest one offered by then."""
        named = fact.fields["handoff_id"]
        if named is not None:
            return self.handoffs.get(named)
        if fact.fields["lead_id"] is None:
            return None
        found = None
        for handoff in by_offer:
            if handoff.offered_at > fact.occurred_at:
                break
            found = handoff
        return found
