"""What is known of a deal: the story in its events, read one after the other.

Numbers about deals start from here. A deal's story is followed event by event, as somebody
would who reads the CRM's history from the top: it is open, it is won, it is lost, it is taken up again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.oracle.log import Fact, Fields, Log, first_by

# Events of a deal, in the order of their meaning.
MEANING = {
    "OpportunityOpened": 1,
    "OpportunityReopened": 2,
    "OpportunityRevised": 3,
    "OpportunityStageEntered": 4,
    "OpportunityWon": 5,
    "OpportunityLost": 5,
}


@dataclass
class Deal:
    """A deal as its events leave it. Instants are those at which events count.

    leads: the one that counts it first. first_at: when it was opened, or else first reported. stays: the
    stages it entered, with when.
    """

    opportunity_id: str
    facts: list[Fact]
    status: str = "open"
    opened_at: int | None = None
    first_at: int = 0
    closed_at: int | None = None
    lost_reason: str | None = None
    account_id: str | None = None
    customer_id: str = ""
    owner: str | None = None
    handoff_id: str | None = None
    stage: str | None = None
    closes_on: str | None = None
    leads: list[str] = field(default_factory=list)
    amount: Mapping[str, Any] = field(default_factory=Fields)
    booked: Mapping[str, Any] = field(default_factory=Fields)
    stays: list[tuple[str, int]] = field(default_factory=list)

    @property
    def lead_id(self) -> str | None:
        """The lead that counts the deal."""
        return self.leads[0] if self.leads else None

    @property
    def is_opened_on_some_day(self) -> bool:
        """Whether only the day of its opening is known."""
        openings = (fact for fact in self.facts if fact.type == "OpportunityOpened")
        return next((fact.is_day_only for fact in openings), False)


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Facts of a deal in the order in which they count."""
    return sorted(
        (fact for fact in facts if fact.type in MEANING),
        key=lambda f: (f.occurred_at, MEANING[f.type], f.recorded_at, f.event_id),
    )


@lru_cache(maxsize=4)
def deals(log: Log) -> dict[str, Deal]:
    """Every deal that any event reports, by its id, with its leads and its customer."""
    found = {}
    for opportunity_id, facts in log.by_deal.items():
        deal = reported_deal(opportunity_id, facts, log.of_merged_deals)
        if deal is not None:
            found[opportunity_id] = deal
    leads = leads_of_deals(log)
    for deal in found.values():
        deal.leads = leads[deal.opportunity_id]
        deal.customer_id = _customer(deal, log)
    return found


@lru_cache(maxsize=4)
def leads_of_deals(log: Log) -> dict[str, list[str]]:
    """Per deal the leads it came from, the one that counts it first."""
    offered = first_by("handoff_id", log.of("HandoffOffered"))
    linked = _leads_of_accounts(log)
    found = {}
    for opportunity_id, facts in log.by_deal.items():
        found[opportunity_id] = _leads(in_order(facts), offered, linked)
    return found


def reported_deal(
    opportunity_id: str, facts: Iterable[Fact], of_merged: Collection[tuple[str, str]]
) -> Deal | None:
    """The deal as these facts report it, without leads and customer; None when none is about a deal.

    of_merged: what opened, reopened or lost a record that was merged into the deal later, or won it for a
    while; that is not done to the deal, though a deal may have been opened by it first.
    """
    ordered = in_order(facts)
    if not ordered:
        return None
    deal = Deal(opportunity_id, ordered, account_id=_account(ordered))
    is_opened = False
    for fact in ordered:
        at, stated = fact.occurred_at, fact.fields
        is_own = (fact.type, fact.event_id) not in of_merged
        if fact.type == "OpportunityOpened":
            if deal.opened_at is None:
                deal.opened_at, deal.owner = at, stated["owner"]
            if is_opened and is_own:
                _reopen(deal)
            is_opened = is_opened or is_own
            deal.handoff_id = deal.handoff_id or stated["handoff_id"]
        elif fact.type == "OpportunityReopened":
            if is_own:
                _reopen(deal)
        elif fact.type == "OpportunityWon" and is_own:
            if deal.status != "won":
                deal.status, deal.closed_at, deal.booked, deal.lost_reason = "won", at, Fields(), None
        elif fact.type == "OpportunityLost" and is_own:
            if deal.status != "lost":
                deal.status, deal.closed_at, deal.booked = "lost", at, Fields()
            deal.lost_reason = stated["reason_code"] or None
        if stated["amount"] is not None:
            deal.amount = stated
            if deal.status == "won" and fact.type in ("OpportunityWon", "OpportunityRevised"):
                deal.booked = stated
        if stated["closes_on"] is not None:
            deal.closes_on = stated["closes_on"]
        if stated["stage"] is not None:
            deal.stage = stated["stage"]
            deal.stays.append((stated["stage"], at))
    deal.first_at = ordered[0].occurred_at if deal.opened_at is None else deal.opened_at
    if deal.status == "won" and float(deal.booked.get("amount") or 0) < 0:
        deal.status = "credit"
    return deal


def _reopen(deal: Deal) -> None:
    deal.status, deal.closed_at, deal.lost_reason, deal.booked = "open", None, None, Fields()


def _leads_of_accounts(log: Log) -> dict[str, list[tuple[int, str]]]:
    """Per account its leads, each with when an event first linked it to a company."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    seen: set[str] = set()
    for fact in log.of("LeadCaptured", "LeadProfiled", "HandoffOffered", "OpportunityOpened"):
        lead_id, account_id = fact.fields["lead_id"], fact.fields["account_id"]
        if lead_id and account_id and lead_id not in seen:
            seen.add(lead_id)
            found[log.account_of_lead[lead_id]].append((fact.occurred_at, lead_id))
    return {account: sorted(leads) for account, leads in found.items()}


def _leads(
    facts: list[Fact], offered: Mapping[str, Fact], linked: Mapping[str, list[tuple[int, str]]]
) -> list[str]:
    """Named by the deal's events, else by its opening's handoff, else the leads its company had by then."""
    if named := dict.fromkeys(fact.fields["lead_id"] for fact in facts if fact.fields["lead_id"]):
        return list(named)
    handoff = next((fact.fields["handoff_id"] for fact in facts if fact.fields["handoff_id"]), None)
    if handoff in offered:
        return [offered[handoff].fields["lead_id"]]
    account = _account(facts)
    return [lead for at, lead in linked.get(account or "", ()) if at <= facts[0].occurred_at]


def _account(facts: list[Fact]) -> str | None:
    """The company of its first opening that names one, else of its last win."""
    openings = [f for f in facts if f.type == "OpportunityOpened" and f.fields["account_id"]]
    wins = [f for f in facts if f.type == "OpportunityWon" and f.fields["account_id"]]
    naming = openings[:1] or wins[-1:]
    return naming[0].fields["account_id"] if naming else None


def _customer(deal: Deal, log: Log) -> str:
    if deal.account_id:
        return deal.account_id
    if deal.lead_id is None:
        return f"deal:{deal.opportunity_id}"
    return log.account_of_lead.get(deal.lead_id) or f"lead:{deal.lead_id}"
