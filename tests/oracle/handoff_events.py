"""What happened to each handoff: its answers, attempts, talks and deals, and whose it is."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from tests.oracle.deals import leads_of_deals
from tests.oracle.log import Fact, Fields, Log, chronological

ANSWERS = ("HandoffAccepted", "HandoffReturned")
BY_ITS_ID = {
    "HandoffAccepted": "accepted",
    "HandoffReturned": "returned",
    "HandoffReassigned": "reassigned",
    "FeedbackAcknowledged": "acknowledged",
}
BY_ID_OR_LEAD = {
    "ContactAttempted": "attempts",
    "BuyerReached": "reached",
    "OpportunityOpened": "opportunities",
}


class Handoff:
    """One offered handoff with every fact that belongs to it. Lists are in chronological order."""

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
        """Acceptances and returns."""
        return sorted(self.accepted + self.returned, key=chronological)

    @property
    def answered_at(self) -> int | None:
        """When it was first answered."""
        return min((fact.occurred_at for fact in self.accepted + self.returned), default=None)

    @property
    def human_attempts(self) -> list[Fact]:
        """Attempts that no machine made."""
        return [fact for fact in self.attempts if not fact.fields["is_automated"]]

    @property
    def first_attempt_at(self) -> int | None:
        """When a human first tried to reach the buyer."""
        return next((fact.occurred_at for fact in self.human_attempts), None)

    @property
    def reached_at(self) -> int | None:
        """When the buyer was first reached."""
        return self.reached[0].occurred_at if self.reached else None

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
        signs = (self.reassigned, self.accepted, self.returned, self.attempts, self.reached)
        return any(signs) or bool(self.opportunities)

    @property
    def is_clock_suspect(self) -> bool:
        """Whether a milestone is dated before the offer, which only a wrong clock can do."""
        milestones = (self.answered_at, self.first_attempt_at, self.reached_at)
        return any(at is not None and at < self.offered_at for at in milestones)


@lru_cache(maxsize=4)
def handoffs(log: Log) -> dict[str, Handoff]:
    """All handoffs by id. The earliest offer of an id is the offer."""
    found: dict[str, Handoff] = {}
    for offer in log.of("HandoffOffered"):
        found.setdefault(offer.fields["handoff_id"], Handoff(offer))
    for type_, name in BY_ITS_ID.items():
        for fact in log.of(type_):
            if fact.fields["handoff_id"] in found:
                getattr(found[fact.fields["handoff_id"]], name).append(fact)
    of_lead = _by_lead(found)
    for type_, name in BY_ID_OR_LEAD.items():
        for fact in _openings(log) if type_ == "OpportunityOpened" else log.of(type_):
            named = fact.fields["handoff_id"]
            handoff = latest_offered(of_lead, fact) if named is None else found.get(named)
            if handoff is not None:
                getattr(handoff, name).append(fact)
    _credit_earlier_handoffs(log, of_lead)
    for handoff in found.values():
        previous = found.get(handoff.previous or "")
        if previous is not None and previous is not handoff:
            previous.is_recycled = True
    return found


@lru_cache(maxsize=4)
def _openings(log: Log) -> list[Fact]:
    """Openings of deals, each under the lead that counts the deal."""
    return [
        fact._replace(fields=Fields({**fact.fields, "lead_id": (leads or [None])[0]}))
        for fact in log.of("OpportunityOpened")
        for leads in [leads_of_deals(log)[fact.fields["opportunity_id"]]]
    ]


@lru_cache(maxsize=4)
def handoffs_by_lead(log: Log) -> dict[str, list[Handoff]]:
    """The handoffs of each lead in order of offer, then id."""
    return _by_lead(handoffs(log))


def _by_lead(found: dict[str, Handoff]) -> dict[str, list[Handoff]]:
    of_lead: dict[str, list[Handoff]] = defaultdict(list)
    for handoff in sorted(found.values(), key=lambda h: (h.offered_at, h.handoff_id)):
        of_lead[handoff.lead_id].append(handoff)
    return dict(of_lead)


def latest_offered(by_lead: dict[str, list[Handoff]], fact: Fact) -> Handoff | None:
    """The latest handoff of the lead that was offered by the time of the fact."""
    offered = [h for h in by_lead.get(fact.fields["lead_id"], ()) if h.offered_at <= fact.occurred_at]
    return offered[-1] if offered else None


def _credit_earlier_handoffs(log: Log, of_lead: dict[str, list[Handoff]]) -> None:
    """A deal is also the success of every earlier handoff of its lead whose last answer accepts."""
    for opening in _openings(log):
        for handoff in of_lead.get(opening.fields["lead_id"], ()):
            is_earlier = handoff.offered_at <= opening.occurred_at
            is_accepted = bool(handoff.answers) and handoff.answers[-1].type == "HandoffAccepted"
            if is_earlier and is_accepted and opening not in handoff.opportunities:
                handoff.opportunities.append(opening)
