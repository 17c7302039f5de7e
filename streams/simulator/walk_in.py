"""Deals without a lead: bought by phone or through a reseller, some in a currency without a rate."""

from __future__ import annotations

from typing import Any

from streams.simulator.chance import Dice, Odds
from streams.simulator.clock import DAY, MINUTE
from streams.simulator.customer import money
from streams.simulator.lead import Lead, StoryEvent

CURRENCIES = Odds(("EUR", 50), ("USD", 20), ("CHF", 30))


def walk_in(lead: Lead) -> None:
    """Occasionally add a deal that names no lead, of the lead's company or of an unknown one.

    It has its own random stream, so that the lead's story is the same with and without it.
    """
    dice = Dice(f"{lead.world.seed}/walk-in/{lead.number}")
    if not dice.chance(0.014):
        return
    opportunity_id = f"opp-{lead.name}-w"
    account_id = lead.account.account_id if dice.chance(0.4) else f"acc-{lead.name}-w"
    amount = {"amount": money(int(dice.around(4_000_00, 0.9))), "currency": dice.draw(CURRENCIES)}
    deal = {"opportunity_id": opportunity_id, "lead_id": None}

    def emit(type_: str, at: int, source: str, fields: dict[str, Any]) -> None:
        event_id = dice.event_id()
        if at <= lead.world.as_of:
            lead.events.append(StoryEvent(at, type_, event_id, source, None, fields))

    at = lead.world.start + int(dice.random() * lead.world.days * DAY)
    if dice.chance(0.75):
        blank = {"handoff_id": None, "owner": None, "stage": None, "closes_on": None}
        emit("OpportunityOpened", at, "salesforce", {**deal, "account_id": account_id, **blank, **amount})
    if dice.chance(0.5):
        for number in range(1 + int(dice.random() * 3)):
            at += int(dice.within(3, 50) * MINUTE)
            fields = {
                "call_id": f"call-{lead.name}-w-{number + 1}",
                "lead_id": None,
                "opportunity_id": opportunity_id,
                "account_id": None,
                "is_marketing_present": dice.chance(0.2),
                "duration_minutes": int(dice.within(2, 20)),
            }
            emit("CallHeld", at, "dialer", fields)
    at += int(dice.around(2, 0.8) * DAY)
    emit("OpportunityWon", at, "salesforce", {**deal, "account_id": account_id, "owner": None, **amount})
