"""What follows from a deal or a customer: the rest of the buying group, a return after churn, contradictions.

Emitted after the lead's own story and from its own random stream, so that it changes none of those events.
"""

from __future__ import annotations

from typing import Any

from streams.simulator.chance import Dice
from streams.simulator.clock import DAY, HOUR, iso_day
from streams.simulator.customer import money
from streams.simulator.lead import Lead, StoryEvent
from streams.simulator.world import SALES, SUCCESS

GROUP = ("champion", "economic_buyer", "user", "user", "user", "technical", "legal")
UNRATED = "CHF"  # no playbook here has a rate for this currency
CONTRADICTED_BY = {"PromiseKept": "PromiseMissed", "PromiseMissed": "PromiseKept"}


def emit_relationship(lead: Lead) -> None:
    """Add to a lead's story what follows from it."""
    dice = Dice(f"{lead.world.seed}/relationship/{lead.number}")
    for event in tuple(lead.events):
        if event.type == "OpportunityOpened" and dice.chance(0.4):
            _find_the_group(lead, dice, event.at)
        elif event.type == "SubscriptionChurned" and dice.chance(0.5):
            _come_back(lead, dice, event)
        elif event.type == "CustomerOnboarded" and dice.chance(0.2):
            _promise_more(lead, dice, event)
        elif event.type in CONTRADICTED_BY and dice.chance(0.1):
            at = event.at + int(dice.within(5, 40) * DAY)
            fields = {name: event.fields[name] for name in ("promise_id", "account_id")}
            _emit(lead, dice, CONTRADICTED_BY[event.type], at, "gainsight", fields)
        elif event.type == "OpportunityLost" and dice.chance(0.08):
            _dispute(lead, dice, event)


def _emit(lead: Lead, dice: Dice, type_: str, at: int, source: str, fields: dict[str, Any]) -> None:
    """As Lead.emit, with an id from this random stream."""
    event_id = dice.event_id()
    if at <= lead.world.as_of:
        lead.events.append(StoryEvent(at, type_, event_id, source, None, fields))


def _find_the_group(lead: Lead, dice: Dice, opened_at: int) -> None:
    """Sales identifies the buying group; most members are found soon, and some attend a demo."""
    account, is_thorough = lead.account, dice.chance(0.6)
    at = opened_at - int(dice.within(0, 4) * DAY)
    for number, role in enumerate(GROUP):
        if not is_thorough and not dice.chance(0.7):
            continue
        at += int(dice.around(2.2, 1.0) * DAY)
        contact_id = f"con-{lead.name}-g{number + 1}"
        fields = {"account_id": account.account_id, "contact_id": contact_id, "role": role, "lead_id": None}
        _emit(lead, dice, "BuyingGroupMemberIdentified", at, "salesforce", fields)
        if dice.chance(0.1):  # and is reported again, in another role
            again = {**fields, "role": dice.pick((role, "champion", "procurement"))}
            _emit(lead, dice, "BuyingGroupMemberIdentified", at + 3 * DAY, "salesforce", again)
        if dice.chance(0.5):
            _attend_demo(lead, dice, contact_id, at + int(dice.around(2, 1.0) * DAY))


def _attend_demo(lead: Lead, dice: Dice, contact_id: str, at: int) -> None:
    fields = {
        "lead_id": lead.lead_id,
        "account_id": lead.account.account_id,
        "contact_id": contact_id,
        "campaign_id": None,
        "team": SALES,
        "channel": "event",
        "activity": "demo_attended",
        "is_inbound": True,
        "is_automated": dice.chance(0.1),
    }
    _emit(lead, dice, "TouchRecorded", at, "hubspot", fields)


def _come_back(lead: Lead, dice: Dice, churn: StoryEvent) -> None:
    """A churned customer buys again: smaller, and sometimes in a currency without a rate."""
    at = churn.at + int(dice.around(25, 0.9) * DAY)
    cents = int(float(churn.fields["amount"]) * dice.within(0.3, 1.1)) * 100
    has_amount = dice.chance(0.85)
    currency = UNRATED if dice.chance(0.15) else churn.fields["currency"]
    subscription_id = churn.fields["subscription_id"] if dice.chance(0.6) else None
    fields = {
        "account_id": lead.account.account_id,
        "opportunity_id": None,
        "subscription_id": subscription_id,
        "amount": money(cents) if has_amount else None,
        "currency": currency if has_amount else None,
    }
    _emit(lead, dice, "CustomerOnboarded", at, "gainsight", fields)
    if dice.chance(0.4):
        fields = {
            "subscription_id": churn.fields["subscription_id"],
            "account_id": lead.account.account_id,
            "amount": money(cents * 2),
            "currency": churn.fields["currency"],
        }
        # More is given up than there was: a subscription contracts to zero, never below.
        _emit(lead, dice, "SubscriptionContracted", at + 9 * DAY, "gainsight", fields)


def _promise_more(lead: Lead, dice: Dice, onboarded: StoryEvent) -> None:
    """Success promises something after the win, without naming a deal."""
    at = onboarded.at + int(dice.within(10, 60) * DAY)
    fields = {
        "promise_id": f"pro-{lead.name}-more",
        "account_id": lead.account.account_id,
        "opportunity_id": None,
        "made_by": f"{SUCCESS}-1",
        "promise": "The next release brings the report they miss.",
        "due_on": iso_day(at // DAY + 30),
    }
    _emit(lead, dice, "PromiseMade", at, "gainsight", fields)
    if dice.chance(0.5):
        kept = {name: fields[name] for name in ("promise_id", "account_id")}
        _emit(lead, dice, "PromiseKept", at + 20 * DAY, "gainsight", kept)


def _dispute(lead: Lead, dice: Dice, lost: StoryEvent) -> None:
    """Sales disputes that the deal counts as qualified."""
    dispute_id = f"dis-{lost.fields['opportunity_id']}"
    fields = {
        "dispute_id": dispute_id,
        "subject_kind": "opportunity",
        "subject_id": lost.fields["opportunity_id"],
        "opened_by_team": SALES,
        "reason": "It was never a real project.",
    }
    at = lost.at + int(dice.within(2, 30) * HOUR)
    _emit(lead, dice, "DisputeOpened", at, "baton", fields)
    for _ in range(int(dice.random() * 3)):  # open, settled, or settled twice
        at += int(dice.around(5, 0.6) * DAY)
        resolution = {"resolution": dice.pick(("upheld", "rejected")), "resolved_by": "revenue operations"}
        _emit(lead, dice, "DisputeResolved", at, "baton", {"dispute_id": dispute_id, **resolution})
