"""The view campaign_outcome: what each campaign cost and what it brought back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from tests.oracle.attribution import credits
from tests.oracle.deals import deals
from tests.oracle.log import Fields, Log, Row
from tests.oracle.playbook import Playbook, decimal_text, nearest_cent
from tests.oracle.qualification import qualified_at
from tests.oracle.win import Win, wins

KEY = ("campaign_id",)
PLANNED = ("name", "channel", "goal_id", "starts_on", "ends_on")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per campaign that was planned, cost something, captured a lead or earned credit."""
    plans = {fact.fields["campaign_id"]: fact.fields for fact in log.of("CampaignPlanned")}
    costs: dict[str, list[Decimal | None]] = defaultdict(list)
    for fact in log.of("CampaignCostBooked"):
        day = date.fromisoformat(fact.fields["booked_on"])
        costs[fact.fields["campaign_id"]].append(playbook.priced(fact.fields, day))
    leads = _Leads(log, playbook, as_of)
    credited: dict[str, list[tuple[Win, Decimal | None]]] = defaultdict(list)
    for credit in credits(log, playbook):
        if credit.model == "linear" and credit.session and credit.session[0].campaign_id is not None:
            credited[credit.session[0].campaign_id].append((credit.win, credit.amount))
    for campaign_id in plans.keys() | costs.keys() | leads.captured.keys() | credited.keys():
        plan, won = plans.get(campaign_id, Fields()), leads.won[campaign_id]
        begins = date.fromisoformat(plan["starts_on"]) if plan else date.min
        planned, spent = playbook.priced(plan, begins), costs[campaign_id]
        cost = nearest_cent(sum((amount or Decimal(0) for amount in spent), Decimal(0)))
        earned = sum((amount or Decimal(0) for _, amount in credited[campaign_id]), Decimal(0))
        booked = sum((win.exact or Decimal(0) for win in won), Decimal(0))
        unpriced = {
            win.opportunity_id
            for win in [*won, *(win for win, _ in credited[campaign_id])]
            if win.booked is None
        }
        is_unpriced_plan = plan["amount"] is not None and planned is None
        n, qualified = leads.captured[campaign_id], leads.qualified[campaign_id]
        yield {
            "campaign_id": campaign_id,
            **{name: plan[name] for name in PLANNED},
            "planned": decimal_text(planned),
            "booked_cost": decimal_text(cost),
            "cost_events": len(spent),
            "captured": n,
            "qualified": qualified,
            "cost_per_qualified": decimal_text(nearest_cent(cost / qualified)) if qualified else None,
            "accepted": leads.accepted[campaign_id],
            "opportunities": leads.opened[campaign_id],
            "won": sum(not win.is_credit for win in won),
            "booked_revenue": decimal_text(booked),
            "attributed_revenue": decimal_text(earned),
            "margin_return": float(earned) * float(playbook.gross_margin) / float(cost) if cost else None,
            "unpriced": len(unpriced) + spent.count(None) + is_unpriced_plan,
            "currency": playbook.currency,
            "n": n,
            "is_enough": n >= playbook.minimum_n,
        }


class _Leads:
    """By campaign: how many of its leads came to each step, and the deals they won."""

    def __init__(self, log: Log, playbook: Playbook, as_of: int) -> None:
        campaign_of: dict[str, str] = {}
        for fact in log.of("LeadCaptured"):
            if fact.fields["campaign_id"] is not None:
                campaign_of.setdefault(fact.fields["lead_id"], fact.fields["campaign_id"])
        qualified = qualified_at(log, playbook, as_of)
        accepted = {fact.fields["lead_id"] for fact in log.of("HandoffAccepted")}
        lead_of_deal = {
            deal.opportunity_id: deal.lead_id
            for deal in deals(log).values()
            if deal.status == "won" or (deal.opened_at is not None and deal.status != "credit")
        }
        self.captured = Counter(campaign_of.values())
        self.qualified = Counter(campaign for lead, campaign in campaign_of.items() if lead in qualified)
        self.accepted = Counter(campaign for lead, campaign in campaign_of.items() if lead in accepted)
        self.opened = Counter(campaign_of[lead] for lead in lead_of_deal.values() if lead in campaign_of)
        self.won: dict[str, list[Win]] = defaultdict(list)
        for win in wins(log, playbook):
            if win.lead_id in campaign_of:
                self.won[campaign_of[win.lead_id]].append(win)
