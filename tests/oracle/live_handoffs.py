"""Which handoffs of a lead are live: somebody has the lead by one, or has yet to answer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

from tests.oracle.deals_of_leads import Deal, deals_of_leads
from tests.oracle.log import Log
from tests.oracle.playbook import Playbook


@dataclass
class Handoff:
    """A handoff of a lead, its answers and its end; `record_id` is the lead as the offer names it."""

    handoff_id: str
    record_id: str | None = None
    from_team: str | None = None
    to_team: str | None = None
    offered_at: int | None = None
    accepted: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    until_at: int | None = None

    @property
    def from_at(self) -> int:
        """When it began: offered, or accepted or returned without an offer."""
        return min([*([] if self.offered_at is None else [self.offered_at]), *self.accepted, *self.returned])

    @property
    def held_at(self) -> int:
        """Since when the one who has it has it."""
        return self.accepted[0] if self.accepted else self.from_at

    def is_live(self, at: int) -> bool:
        """Whether somebody has the lead by it at an instant, or has yet to answer."""
        return self.from_at <= at and (self.until_at is None or self.until_at > at)


@lru_cache(maxsize=4)
def handoffs_of_leads(log: Log, playbook: Playbook) -> dict[str, list[Handoff]]:
    """Per lead, its handoffs that were offered or answered."""
    found: dict[str, dict[str, Handoff]] = defaultdict(dict)
    offered: set[str] = set()
    for fact in log.of("HandoffOffered", "HandoffAccepted", "HandoffReturned"):
        lead_id, handoff_id = fact.fields["lead_id"], fact.fields["handoff_id"]
        if fact.type == "HandoffOffered" and handoff_id in offered:
            continue
        handoff = found[lead_id].setdefault(handoff_id, Handoff(handoff_id))
        if fact.type == "HandoffOffered":
            offered.add(handoff_id)
            handoff.record_id = log.record_ids[fact.type, fact.event_id]
            handoff.from_team, handoff.to_team = fact.fields["from_team"], fact.fields["to_team"]
            handoff.offered_at = fact.occurred_at
        elif fact.type == "HandoffAccepted":
            handoff.accepted.append(fact.occurred_at)
        else:
            handoff.returned.append(fact.occurred_at)
    deals_of = deals_of_leads(log, playbook)
    sales = {team["id"] for team in playbook.text["team"] if team["side"] == "sales"}
    for lead_id, handoffs in found.items():
        of_lead = list(handoffs.values())
        for handoff in of_lead:
            handoff.until_at = _ended(handoff, lead_id, of_lead, deals_of.get(lead_id, []), sales)
    return {lead_id: list(handoffs.values()) for lead_id, handoffs in found.items()}


def _ended(
    handoff: Handoff, lead_id: str, handoffs: list[Handoff], deals: list[Deal], sales: set[str]
) -> int | None:
    others = [other for other in handoffs if other is not handoff and other.offered_at is not None]
    closed = [deal.closed_at for deal in deals if deal.closed_at is not None]
    ends = [at for at in closed if at >= handoff.held_at]
    if not handoff.accepted and not handoff.returned:
        if handoff.record_id != lead_id:
            return handoff.from_at
        ends += [
            other.offered_at
            for other in others
            if other.record_id == handoff.record_id
            and (other.offered_at, other.handoff_id) > (handoff.offered_at, handoff.handoff_id)
        ]
    else:
        ends += [at for at in handoff.returned if not handoff.accepted or at >= handoff.accepted[-1]]
    if handoff.accepted:
        ends += [
            other.offered_at
            for other in others
            if other.from_team == handoff.to_team and other.offered_at >= handoff.accepted[0]
        ]
    if handoff.from_team in sales and handoff.offered_at is not None:
        wins = [d.closed_at for d in deals if d.status == "won" and d.closed_at <= handoff.offered_at]
        by_marketing = [
            other.offered_at
            for other in others
            if other.from_team not in sales and other.offered_at <= handoff.offered_at
        ]
        if wins and max(wins) > max(by_marketing, default=-(10**18)):
            return handoff.from_at
    return min(ends, default=None)
