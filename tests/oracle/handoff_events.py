"""What happened to each handoff: its answers, attempts, talks and deals, whose it was when, and its merge."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Final, NamedTuple

from tests.oracle.deals import deals
from tests.oracle.log import ABOUT_RECORDS, Fact, Fields, Log, merged_records

BY_ITS_ID = {
    "HandoffAccepted": "accepted",
    "HandoffReturned": "returned",
    "HandoffReassigned": "reassigned",
    "HandoffPaused": "paused",
    "HandoffResumed": "resumed",
    "FeedbackAcknowledged": "acknowledged",
}
BY_ID_OR_LEAD = {
    "ContactAttempted": "attempts",
    "BuyerReached": "reached",
    "OpportunityOpened": "opportunities",
}
MEANING: Final = (
    "HandoffOffered",
    "HandoffReassigned",
    "HandoffPaused",
    "HandoffResumed",
    "HandoffAccepted",
    "HandoffReturned",
    "FeedbackAcknowledged",
)
FOREVER: Final = 2**62


def in_order(fact: Fact) -> tuple[int, int, str]:
    """How events of a handoff count: by instant, by meaning, by id."""
    return fact.occurred_at, MEANING.index(fact.type), fact.event_id


class Period(NamedTuple):
    """Time in which one person had a handoff (None: the team), and why its clock was paused."""

    from_at: int
    until_at: int
    owner: str | None
    pause_reason: str | None


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
        self.record_id: str | None = None  # the lead as the offer names it
        self.merged_at: int | None = None
        self.accepted: list[Fact] = []
        self.paused: list[Fact] = []
        self.resumed: list[Fact] = []
        self.returned: list[Fact] = []
        self.reassigned: list[Fact] = []
        self.acknowledged: list[Fact] = []
        self.attempts: list[Fact] = []
        self.reached: list[Fact] = []
        self.opportunities: list[Fact] = []
        self.offered_again: list[int] = []

    @property
    def is_recycled(self) -> bool:
        """Whether a later handoff names it as its predecessor."""
        return bool(self.offered_again)

    @property
    def answers(self) -> list[Fact]:
        """Acceptances and returns."""
        return sorted(self.accepted + self.returned, key=in_order)

    @property
    def answered_at(self) -> int | None:
        """When it was first answered."""
        return min((fact.occurred_at for fact in self.accepted + self.returned), default=None)

    def answer_at(self, instant: int) -> str:
        """The last answer by then, or none."""
        given = [fact.type for fact in self.answers if fact.occurred_at <= instant]
        return given[-1] if given else "none"

    @property
    def acknowledgement(self) -> Fact | None:
        """The first answer of the offering team to the latest return."""
        last = max(self.returned, key=in_order)
        later = [fact for fact in self.acknowledged if in_order(fact) > in_order(last)]
        return min(later, key=in_order, default=None)

    @property
    def periods(self) -> list[Period]:
        """Whose it was, from the beginning of time to its end, without a gap."""
        first_answer = self.answers[0] if self.answers else None
        assigned = [fact for fact in self.reassigned if fact.fields["to_owner"]]
        owner = self.offer.fields["owner"]
        if owner is None and first_answer is not None:
            if all(in_order(fact) > in_order(first_answer) for fact in assigned):
                owner = first_answer.fields["owner"]  # the only owner there was
        turns = sorted(assigned + self.accepted + self.paused + self.resumed, key=in_order)
        begins, pause, found = -FOREVER, None, []
        for turn in turns:
            if turn.occurred_at > begins:
                found.append(Period(begins, turn.occurred_at, owner, pause))
                begins = turn.occurred_at
            owner = (
                turn.fields["to_owner"] or (turn.type == "HandoffAccepted" and turn.fields["owner"]) or owner
            )
            if turn.type == "HandoffPaused":
                pause = turn.fields["reason_code"]
            elif turn.type == "HandoffResumed":
                pause = None
        return [*found, Period(begins, FOREVER, owner, pause)]

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
        """The first answer's owner, else the last one assigned (before the answer, if any), else whom it was
        offered to."""
        answers = self.answers
        if answers and answers[0].fields["owner"]:
            return str(answers[0].fields["owner"])
        assigned = sorted((fact for fact in self.reassigned if fact.fields["to_owner"]), key=in_order)
        before = [f for f in assigned if not answers or f.occurred_at <= answers[0].occurred_at]
        last = (before or assigned)[-1].fields["to_owner"] if assigned else None
        owner: str | None = last or self.offer.fields["owner"]
        return owner

    @property
    def is_arrived(self) -> bool:
        """Whether the receiving side gave any sign of it."""
        signs = (
            [f for f in self.reassigned if f.fields["to_owner"]],
            self.accepted,
            self.returned,
            self.attempts,
            self.reached,
        )
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
    for handoff in found.values():
        handoff.record_id = log.record_ids[handoff.offer.type, handoff.offer.event_id]
        _, merge = log.merged["lead"].get(handoff.record_id or "", (None, None))
        if merge is not None and merge.occurred_at >= handoff.offered_at:
            handoff.merged_at = merge.occurred_at
    of_lead = _by_lead(found)
    for type_, name in BY_ID_OR_LEAD.items():
        for fact in _openings(log) if type_ == "OpportunityOpened" else log.of(type_):
            named = fact.fields["handoff_id"]
            handoff = worked_then(log, of_lead, fact) if named is None else found.get(named)
            if handoff is not None:
                getattr(handoff, name).append(fact)
    _credit_earlier_handoffs(log, of_lead)
    for handoff in found.values():
        previous = found.get(handoff.previous or "")
        if previous is not None and previous is not handoff:
            previous.offered_again.append(handoff.offered_at)
    return found


@lru_cache(maxsize=4)
def _openings(log: Log) -> list[Fact]:
    """The first opening of each deal, under the lead that counts the deal and the handoff it names first."""
    found = []
    for deal in deals(log).values():
        opening = next((fact for fact in deal.facts if fact.type == "OpportunityOpened"), None)
        if opening is not None:
            named = {"lead_id": deal.lead_id, "handoff_id": deal.handoff_id}
            found.append(opening._replace(fields=Fields({**opening.fields, **named})))
    return found


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


def worked_then(log: Log, by_lead: dict[str, list[Handoff]], fact: Fact) -> Handoff | None:
    """The handoff to which contact belongs that names only the lead: the one being worked then."""
    at = fact.occurred_at
    left = [h for h in by_lead.get(fact.fields["lead_id"], ()) if h.offered_at <= at]
    left = [h for h in left if h.answer_at(at) != "HandoffReturned"] or left
    if len({h.record_id for h in left}) > 1 and fact.type != "OpportunityOpened":
        own = _record_at(log, at, log.record_ids[fact.type, fact.event_id])
        left = [h for h in left if _record_at(log, at, h.record_id) == own] or left
    latest_of_team = {h.to_team: h for h in left}.values()
    accepted = [h for h in latest_of_team if h.answer_at(at) == "HandoffAccepted"]
    return max(accepted or latest_of_team, key=lambda h: (h.offered_at, h.handoff_id), default=None)


def _record_at(log: Log, at: int, record_id: str | None) -> str | None:
    """The lead as which a record counted at an instant."""
    known = [fact for fact in log.of(*ABOUT_RECORDS) if fact.occurred_at <= at]
    survivor, _ = merged_records("lead", known).get(record_id or "", (record_id, None))
    return survivor


def _credit_earlier_handoffs(log: Log, of_lead: dict[str, list[Handoff]]) -> None:
    """A deal is also the success of every earlier handoff of its lead whose last answer accepts."""
    for opening in _openings(log):
        for handoff in of_lead.get(opening.fields["lead_id"], ()):
            is_earlier = handoff.offered_at <= opening.occurred_at
            is_accepted = bool(handoff.answers) and handoff.answers[-1].type == "HandoffAccepted"
            if is_earlier and is_accepted and opening not in handoff.opportunities:
                handoff.opportunities.append(opening)
