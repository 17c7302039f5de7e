"""The story of a deal: opened, staged, revised, promised about, won or lost, or still open at the end."""

from __future__ import annotations

from typing import Any

from streams.simulator.chance import Odds
from streams.simulator.clock import DAY, HOUR, MINUTE, iso_day
from streams.simulator.customer import Deal, become_customer, money, promise
from streams.simulator.lead import Handoff, Lead
from streams.simulator.world import SALES, SUCCESS

STAGES = (("discovery", 0.1), ("evaluation", 0.3), ("proposal", 0.5), ("negotiation", 0.75))
LOSS_REASONS = Odds(("price", 28), ("competitor", 22), ("no_decision", 26), ("timing", 16), ("fit", 8))


def sell(lead: Lead, handoff: Handoff, at: int) -> None:
    """Open an opportunity on this handoff and follow it."""
    dice, account = lead.dice, lead.account
    lead.deals += 1
    cents = (int(dice.around(60 * account.employees**0.5, 0.6)) + 40) * 25_00
    if dice.chance(0.1):
        cents += 99
    deal = Deal(
        f"opp-{lead.name}-{lead.deals}", lead.lead_id if dice.chance(0.96) else None, cents, handoff.owner
    )
    _open(lead, handoff, deal, at)
    if dice.chance(0.5):
        _identify_group(lead, at)
    ends_at = _negotiate(lead, deal, at)
    if ends_at is None:
        return
    fate = dice.random()
    if fate < 0.55:
        _win(lead, handoff, deal, ends_at)
    else:
        _lose(lead, deal, ends_at)
        if fate > 0.985:
            _win(lead, handoff, deal, ends_at + int(dice.around(6, 0.5) * DAY))  # they came back


def _ids(deal: Deal, **fields: Any) -> dict[str, Any]:
    """The ids of a deal's event, with its other fields."""
    return {"opportunity_id": deal.opportunity_id, "lead_id": deal.lead_id, **fields}


def _open(lead: Lead, handoff: Handoff, deal: Deal, at: int) -> None:
    dice = lead.dice
    has_amount = dice.chance(0.85)
    fields = _ids(
        deal,
        account_id=lead.account.account_id,
        handoff_id=handoff.handoff_id if dice.chance(0.6) else None,
        owner=deal.owner if dice.chance(0.95) else None,
        stage=STAGES[0][0] if dice.chance(0.7) else None,
        amount=money(deal.cents) if has_amount else None,
        currency=lead.account.currency if has_amount else None,
        closes_on=iso_day(at // DAY + int(dice.within(20, 90))) if dice.chance(0.8) else None,
    )
    lead.emit("OpportunityOpened", at, "salesforce", deal.owner, fields)


def _identify_group(lead: Lead, at: int) -> None:
    """Sales identifies the buying group: contacts of the account, each once."""
    dice, account = lead.dice, lead.account
    for contact_id, role in account.contacts:
        if contact_id in account.identified or not dice.chance(0.6):
            continue
        account.identified.add(contact_id)
        at += int(dice.around(1.5, 0.9) * DAY)
        fields = {
            "account_id": account.account_id,
            "contact_id": contact_id,
            "role": role,
            "lead_id": lead.lead_id if contact_id == lead.contact_id else None,
        }
        lead.emit("BuyingGroupMemberIdentified", at, "salesforce", None, fields)


def _negotiate(lead: Lead, deal: Deal, at: int) -> int | None:
    """Stages, calls and revisions. When it is decided; None for a deal that stalls."""
    dice = lead.dice
    for stage, probability in STAGES:
        if stage != STAGES[0][0] or dice.chance(0.4):
            fields = _ids(deal, stage=stage, probability=probability if dice.chance(0.8) else None)
            lead.emit("OpportunityStageEntered", at, "salesforce", deal.owner, fields)
        if dice.chance(0.55):
            _call(lead, deal, at)
        if dice.chance(0.35):
            _revise(lead, deal, at)
        if stage == "proposal" and dice.chance(0.5):
            for _ in range(1 + int(dice.random() * 1.6)):
                promise(lead, deal, at, deal.opportunity_id, at // DAY + int(dice.within(20, 60)))
        at = lead.acts(deal.owner, SALES, at, dice.around(4.5 * 540, 0.7))
        if dice.chance(0.14):
            return None
        if dice.chance(0.13):
            break
    return at


def _call(lead: Lead, deal: Deal, at: int) -> None:
    dice = lead.dice
    fields = {
        "call_id": f"call-{deal.opportunity_id[4:]}-{len(lead.events)}",
        "lead_id": deal.lead_id,
        "opportunity_id": deal.opportunity_id,
        "account_id": lead.account.account_id,
        "is_marketing_present": dice.chance(0.15),
        "duration_minutes": int(dice.within(12, 75)) if dice.chance(0.9) else None,
    }
    called_at = lead.acts(deal.owner, SALES, at, dice.around(600, 0.6))
    lead.emit("CallHeld", called_at, "dialer", deal.owner, fields)


def _revise(lead: Lead, deal: Deal, at: int) -> None:
    """A new amount, a new closing day, or both."""
    dice = lead.dice
    is_repriced = dice.chance(0.7)
    if is_repriced:
        deal.cents = int(deal.cents * dice.within(0.75, 1.3)) // 50 * 50
    fields = _ids(
        deal,
        amount=money(deal.cents) if is_repriced else None,
        currency=lead.account.currency if is_repriced else None,
        closes_on=iso_day(at // DAY + int(dice.within(10, 80)))
        if not is_repriced or dice.chance(0.4)
        else None,
    )
    revised_at = lead.acts(deal.owner, SALES, at, dice.around(900, 0.5))
    lead.emit("OpportunityRevised", revised_at, "salesforce", deal.owner, fields)


def _lose(lead: Lead, deal: Deal, at: int) -> None:
    fields = _ids(deal, account_id=lead.account.account_id, reason_code=lead.dice.draw(LOSS_REASONS))
    lead.emit("OpportunityLost", at, "salesforce", deal.owner, fields)


def _win(lead: Lead, handoff: Handoff, deal: Deal, at: int) -> None:
    """Book the deal and hand the customer over."""
    dice, account = lead.dice, lead.account
    fields = _ids(
        deal,
        account_id=account.account_id,
        amount=money(deal.cents),
        currency=account.currency,
        owner=deal.owner,
    )
    lead.emit("OpportunityWon", at, "salesforce", deal.owner, fields)
    if dice.chance(0.1):
        lead.touch(at + 3 * DAY, "event_attended", "event", inbound=True, automated=False)
    offered_at = at + int(dice.around(40, 1.2) * MINUTE)
    customer = lead.offer(offered_at, SALES, SUCCESS, "won")
    if dice.chance(0.03):
        return
    at = offered_at + int(dice.around(3, 0.8) * MINUTE)
    fields = lead.about(customer, to_owner=customer.owner, reason="assigned")
    lead.emit("HandoffReassigned", at, "salesforce", None, fields)
    if dice.chance(0.08):
        return
    at = lead.acts(customer.owner, SUCCESS, at, dice.around(240, 1.0))
    fields = lead.about(customer, owner=customer.owner)
    lead.emit("HandoffAccepted", at, "gainsight", customer.owner, fields)
    if dice.chance(0.7):
        lead.reached(at + int(dice.around(20, 0.8) * HOUR), customer, "meeting")
    become_customer(lead, deal, at)
