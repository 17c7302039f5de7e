"""What is known of a deal: the story that its events tell, read one after the other.

Numbers about deals start from here. A deal's story is followed event by event, as somebody would who reads the
CRM's history from the top: it is open, it is won, it is lost, it is taken up again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from tests.oracle.handoff_events import handoffs
from tests.oracle.log import Fact, Fields, Log
from tests.oracle.playbook import Playbook

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

    leads: the one that counts it first. first_at: when it was opened, or else first reported. stays: the stages it
    entered, with when.
    """

    opportunity_id: str
    facts: list[Fact]
    status: str = "open"
    opened_at: int | None = None
    first_at: int = 0
    reported_at: int = 0
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


def counts_at(fact: Fact, playbook: Playbook) -> int:
    """When a fact counts. What is known by day counts when its day ends, an opening when it begins."""
    if not fact.fields["is_day_only"] and fact.fields["occurred_on"] is None:
        return fact.occurred_at
    day = date(1970, 1, 1) + timedelta(days=fact.occurred_at // (86_400 * 1_000_000))
    if fact.type == "OpportunityOpened":
        return playbook.begins(day)
    return playbook.begins(day + timedelta(days=1)) - 1


def in_order(facts: Iterable[Fact], playbook: Playbook) -> list[Fact]:
    """Facts of a deal in the order in which they count."""
    return sorted(
        (fact for fact in facts if fact.type in MEANING),
        key=lambda f: (counts_at(f, playbook), MEANING[f.type], f.recorded_at, f.event_id),
    )


@lru_cache(maxsize=4)
def deals(log: Log, playbook: Playbook) -> dict[str, Deal]:
    """Every deal that any event reports, by its id, with its leads and its customer."""
    found = {}
    for opportunity_id, facts in log.by_deal.items():
        deal = told(opportunity_id, facts, playbook)
        if deal is not None:
            found[opportunity_id] = deal
    linked = _leads_of_accounts(log)
    for deal in found.values():
        deal.leads = _leads(deal, log, linked)
        deal.customer_id = _customer(deal, log)
    return found


def told(opportunity_id: str, facts: Iterable[Fact], playbook: Playbook) -> Deal | None:
    """The deal as these facts report it, without leads and customer; None when none is about a deal."""
    ordered = in_order(facts, playbook)
    if not ordered:
        return None
    deal = Deal(opportunity_id, ordered)
    last_win: Fact | None = None
    for fact in ordered:
        at, stated = counts_at(fact, playbook), fact.fields
        if fact.type == "OpportunityOpened":
            if deal.opened_at is None:
                deal.opened_at, deal.owner = at, stated["owner"]
            else:
                _reopen(deal)
            deal.account_id = deal.account_id or stated["account_id"]
            deal.handoff_id = deal.handoff_id or stated["handoff_id"]
        elif fact.type == "OpportunityReopened":
            _reopen(deal)
        elif fact.type == "OpportunityWon":
            if deal.status != "won":
                deal.status, deal.closed_at, deal.booked, deal.lost_reason = "won", at, Fields(), None
            last_win = fact if stated["account_id"] else last_win
        elif fact.type == "OpportunityLost":
            if deal.status != "lost":
                deal.status, deal.closed_at, deal.booked = "lost", at, Fields()
            deal.lost_reason = stated["reason_code"] or None
        if stated["amount"] is not None:
            deal.amount = stated
            if deal.status == "won":
                deal.booked = stated
        if stated["closes_on"] is not None:
            deal.closes_on = stated["closes_on"]
        if stated["stage"] is not None:
            deal.stage = stated["stage"]
            deal.stays.append((stated["stage"], at))
    deal.reported_at = counts_at(ordered[0], playbook)
    deal.first_at = deal.reported_at if deal.opened_at is None else deal.opened_at
    if deal.account_id is None and last_win is not None:
        deal.account_id = last_win.fields["account_id"]
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


def _leads(deal: Deal, log: Log, linked: Mapping[str, list[tuple[int, str]]]) -> list[str]:
    named = dict.fromkeys(fact.fields["lead_id"] for fact in deal.facts if fact.fields["lead_id"])
    if named:
        return list(named)
    handoff = handoffs(log).get(deal.handoff_id or "")
    if handoff is not None:
        return [handoff.lead_id]
    return [lead for at, lead in linked.get(deal.account_id or "", ()) if at <= deal.reported_at]


def _customer(deal: Deal, log: Log) -> str:
    if deal.account_id:
        return deal.account_id
    if deal.lead_id is None:
        return f"deal:{deal.opportunity_id}"
    return log.account_of_lead.get(deal.lead_id) or f"lead:{deal.lead_id}"
