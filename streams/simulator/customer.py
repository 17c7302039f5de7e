"""The story of a customer: onboarded, promises kept or missed, renewed, expanded, contracted or churned."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.simulator.chance import Odds
from streams.simulator.clock import DAY, iso_day
from streams.simulator.lead import Lead
from streams.simulator.world import SALES

CHURN_REASONS = Odds(
    ("price", 24), ("no_use", 34), ("company_closed", 8), ("competitor", 22), ("promise_missed", 12)
)
PROMISES = (
    "Single sign-on is ready before the roll-out.",
    "A named engineer helps with the migration.",
    "The export covers invoices of the last five years.",
    "Support answers within four hours.",
)
TERMS = Odds((30, 45), (91, 35), (365, 20))


@dataclass(slots=True)
class Deal:
    """An opportunity as it stands: amount in cents, promises as (promise_id, due day)."""

    opportunity_id: str
    lead_id: str | None
    cents: int
    owner: str
    promises: list[tuple[str, int]] = field(default_factory=list)


def become_customer(lead: Lead, deal: Deal, at: int) -> None:
    """From the accepted customer handoff to onboarding, promises and the first terms."""
    dice = lead.dice
    if dice.chance(0.06):
        return  # paid, and never onboarded
    onboarded_at = at + int(dice.around(8, 0.7) * DAY)
    subscription_id = f"sub-{deal.opportunity_id[4:]}"
    _onboard(lead, subscription_id, deal.cents, onboarded_at, deal.opportunity_id)
    is_disappointed = _promises(lead, deal, onboarded_at)
    live(lead, subscription_id, deal.cents, onboarded_at, is_disappointed=is_disappointed)


def was_customer(lead: Lead) -> None:
    """An account that bought long before the period: onboarded before it, and still active."""
    dice = lead.dice
    cents = (int(dice.around(70 * lead.account.employees**0.5, 0.6)) + 40) * 25_00
    subscription_id = f"sub-{lead.account.account_id[4:]}"
    world = lead.world
    at = world.start - int(dice.within(20, 400) * DAY)
    deal = Deal(
        f"opp-{lead.account.account_id[4:]}", None, cents, world.person(dice, SALES, lead.account.region)
    )
    for _ in range(int(dice.random() * 2.6)):
        promise(lead, deal, at - 9 * DAY, None, world.first_day + int(dice.within(-10, world.days + 30)))
    _onboard(lead, subscription_id, cents, at, None)
    is_disappointed = _promises(lead, deal, at)
    seen_at = max(at, world.start - int(dice.within(0, 60) * DAY))
    live(lead, subscription_id, cents, seen_at, is_disappointed=is_disappointed)


def _onboard(lead: Lead, subscription_id: str, cents: int, at: int, opportunity_id: str | None) -> None:
    fields = {
        "account_id": lead.account.account_id,
        "opportunity_id": opportunity_id,
        "subscription_id": subscription_id,
        "amount": money(cents),
        "currency": lead.account.currency,
    }
    lead.emit("CustomerOnboarded", at, "gainsight", None, fields)


def promise(lead: Lead, deal: Deal, at: int, opportunity_id: str | None, due_on: int) -> None:
    """Promise the company something by a day. What it is worth shows once they are a customer."""
    dice = lead.dice
    promise_id = f"pro-{deal.opportunity_id[4:]}-{len(deal.promises) + 1}"
    fields = {
        "promise_id": promise_id,
        "account_id": lead.account.account_id,
        "opportunity_id": opportunity_id,
        "made_by": deal.owner,
        "promise": dice.pick(PROMISES),
        "due_on": iso_day(due_on) if dice.chance(0.85) else None,
    }
    lead.emit("PromiseMade", at, "salesforce", deal.owner, fields)
    deal.promises.append((promise_id, due_on))


def _promises(lead: Lead, deal: Deal, onboarded_at: int) -> bool:
    """Keep or miss each promise around its day. True when one was missed."""
    dice = lead.dice
    is_disappointed = False
    for promise_id, due_on in deal.promises:
        fields = {"promise_id": promise_id, "account_id": lead.account.account_id}
        fate = dice.random()
        at = max(onboarded_at, due_on * DAY + int(dice.within(-9, 3) * DAY))
        if fate < 0.62:
            lead.emit("PromiseKept", at, "gainsight", None, fields)
        elif fate < 0.82:
            note = f"{lead.contact_id} waits for it" if dice.chance(0.5) else None
            lead.emit("PromiseMissed", at + 3 * DAY, "gainsight", None, {**fields, "note": note})
            is_disappointed = True
    return is_disappointed


def live(lead: Lead, subscription_id: str, cents: int, at: int, *, is_disappointed: bool = False) -> None:
    """Terms of one subscription until it churns or the period ends. No term is changed before the period."""
    dice, world = lead.dice, lead.world
    term = dice.draw(TERMS)
    while at < world.as_of:
        at += term * DAY + int(dice.within(-3, 3) * DAY)
        if at <= world.start:
            continue
        changed_at = max(at - int(dice.within(2, 20) * DAY), world.start)
        fate = dice.random()
        if fate < 0.22:
            grown = int(cents * dice.within(0.05, 0.5)) // 100 * 100
            cents += grown
            _changed(lead, "SubscriptionExpanded", subscription_id, grown, changed_at)
        elif fate < 0.30:
            lost = int(cents * dice.within(0.05, 0.4)) // 100 * 100
            cents -= lost
            _changed(lead, "SubscriptionContracted", subscription_id, lost, changed_at)
        if dice.chance(0.3 if is_disappointed else 0.08):
            reason = "promise_missed" if is_disappointed and dice.chance(0.6) else dice.draw(CHURN_REASONS)
            _changed(lead, "SubscriptionChurned", subscription_id, cents, at, reason_code=reason)
            return
        ends_on = iso_day(at // DAY + term) if dice.chance(0.9) else None
        _changed(lead, "SubscriptionRenewed", subscription_id, cents, at, term_ends_on=ends_on)


def _changed(lead: Lead, type_: str, subscription_id: str, cents: int, at: int, **fields: str | None) -> None:
    stated = {
        "subscription_id": subscription_id,
        "account_id": lead.account.account_id,
        "amount": money(cents),
        "currency": lead.account.currency,
        **fields,
    }
    lead.emit(type_, at, "gainsight", None, stated)


def money(cents: int) -> str:
    """Cents as the decimal string an event carries."""
    return f"{cents // 100}.{cents % 100:02d}"
