"""The view opportunity: what is known of each deal that was opened."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from tests.oracle.log import Fact, Fields, Log, Row, optional_iso
from tests.oracle.playbook import Playbook

KEY = ("opportunity_id",)
STAGED = ("OpportunityOpened", "OpportunityStageEntered")
PRICED = ("OpportunityOpened", "OpportunityRevised", "OpportunityWon")
DATED = ("OpportunityOpened", "OpportunityRevised")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per opportunity that was opened. Amounts are in the currency of the deal."""
    for opportunity_id, opened in log.openings.items():
        facts, end = log.by_deal[opportunity_id], log.outcomes.get(opportunity_id)
        amount = latest_with("amount", facts, PRICED)
        yield {
            "opportunity_id": opportunity_id,
            "account_id": opened.fields["account_id"],
            "lead_id": opened.fields["lead_id"],
            "owner": opened.fields["owner"],
            "opened_at": iso(opened.occurred_at),
            "stage": latest_with("stage", facts, STAGED)["stage"],
            "amount": amount["amount"],
            "currency": amount["currency"],
            "closes_on": latest_with("closes_on", facts, DATED)["closes_on"],
            "status": status(end),
            "closed_at": optional_iso(end and end.occurred_at),
            "lost_reason": end and end.fields["reason_code"],
        }


def status(end: Fact | None) -> str:
    """open, won or lost."""
    return "open" if end is None else end.type.removeprefix("Opportunity").lower()


def latest_with(field: str, facts: list[Fact], types: tuple[str, ...]) -> Fields:
    """What the latest fact among these types states that states the field; nothing if there is none."""
    found = [fact.fields for fact in facts if fact.type in types and fact.fields[field] is not None]
    return found[-1] if found else Fields()
