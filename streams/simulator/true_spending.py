"""What is true of a simulation's spending: what campaigns brought back, and what a new customer cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from streams.simulator.clock import microseconds_of
from streams.simulator.tellers import Row
from streams.simulator.true_wins import Ledger, Win, quarter, rounded, written

Credited = Mapping[str, list[tuple[Win, int | None]]]


class _Campaigns:
    """What belongs to each campaign: its plan, its costs, its leads and their deals."""

    def __init__(self, ledger: Ledger, qualified: Collection[str]) -> None:
        facts = ledger.facts
        self.plans = {fact.fields["campaign_id"]: fact.fields for fact in facts["CampaignPlanned"]}
        self.costs: dict[str, list[int | None]] = defaultdict(list)
        for fact in facts["CampaignCostBooked"]:
            cents = ledger.cents(fact.fields["amount"], fact.fields["currency"])
            self.costs[fact.fields["campaign_id"]].append(cents)
        of_lead: dict[str, str] = {}
        for fact in facts["LeadCaptured"]:
            if fact.fields["campaign_id"] is not None:
                of_lead.setdefault(fact.fields["lead_id"], fact.fields["campaign_id"])
        taken = {fact.fields["lead_id"] for fact in facts["HandoffAccepted"]}
        deals = {id_: opening.fields["lead_id"] for id_, opening in ledger.openings.items()}
        deals |= {win.opportunity_id: win.lead_id for win in ledger.wins}
        self.captured = Counter(of_lead.values())
        self.qualified = Counter(campaign for lead, campaign in of_lead.items() if lead in qualified)
        self.accepted = Counter(campaign for lead, campaign in of_lead.items() if lead in taken)
        self.opened = Counter(of_lead[lead] for lead in deals.values() if lead in of_lead)
        self.won: dict[str, list[Win]] = defaultdict(list)
        for win in ledger.wins:
            if win.lead_id in of_lead:
                self.won[of_lead[win.lead_id]].append(win)


def campaign_rows(
    ledger: Ledger, text: Mapping[str, Any], linear: Credited, qualified: Collection[str]
) -> Iterator[Row]:
    """The rows of campaign_outcome.

    linear: per campaign, each session that earned credit by the linear model, as (win, cents).
    qualified: the leads that met the definition.
    """
    told = _Campaigns(ledger, qualified)
    margin = Decimal(text.get("money", {}).get("gross_margin", "1"))
    known = told.plans.keys() | told.costs.keys() | told.captured.keys() | linear.keys()
    for campaign_id in sorted(known):
        plan, credit = told.plans.get(campaign_id, {}), linear.get(campaign_id, [])
        spent, won = told.costs[campaign_id], told.won[campaign_id]
        planned = ledger.cents(plan.get("amount"), plan.get("currency"))
        cost = sum(cents or 0 for cents in spent)
        earned = sum(cents or 0 for _, cents in credit)
        meant = told.qualified[campaign_id]
        unpriced = {win.opportunity_id for win in [*won, *(w for w, _ in credit)] if win.booked is None}
        is_unpriced_plan = plan.get("amount") is not None and planned is None
        yield {
            "campaign_id": campaign_id,
            **{name: plan.get(name) for name in ("name", "channel", "goal_id", "starts_on", "ends_on")},
            "planned": written(planned),
            "booked_cost": written(cost),
            "cost_events": len(spent),
            "captured": told.captured[campaign_id],
            "qualified": meant,
            "cost_per_qualified": written(rounded(Decimal(cost) / meant) if meant else None),
            "accepted": told.accepted[campaign_id],
            "opportunities": told.opened[campaign_id],
            "won": len(won),
            "booked_revenue": written(sum(win.booked or 0 for win in won)),
            "attributed_revenue": written(earned),
            "margin_return": earned * float(margin) / cost if cost else None,
            "unpriced": len(unpriced) + spent.count(None) + is_unpriced_plan,
            "currency": ledger.currency,
            "n": told.captured[campaign_id],
            "is_enough": told.captured[campaign_id] >= text.get("cascade", {}).get("minimum_n", 30),
        }


def quarter_rows(ledger: Ledger, text: Mapping[str, Any], as_of: int) -> Iterator[Row]:
    """The rows of unit_economics."""
    cohorts: dict[str, list[Win]] = defaultdict(list)
    for win in _new_customers(ledger):
        cohorts[win.period].append(win)
    spent: dict[str, list[int | None]] = defaultdict(list)
    for fact in ledger.facts["CampaignCostBooked"]:
        period = quarter(date.fromisoformat(fact.fields["booked_on"]))
        spent[period].append(ledger.cents(fact.fields["amount"], fact.fields["currency"]))
    teams = _team_costs(ledger, text)
    begun = {period for period in teams if _begins_at(ledger, period) <= as_of}
    margin = Decimal(text.get("money", {}).get("gross_margin", "1"))
    for period in sorted(cohorts.keys() | spent.keys() | begun):
        cohort = cohorts[period]
        priced = [win.booked for win in cohort if win.booked is not None]
        marketing, team, booked = sum(c or 0 for c in spent[period]), teams.get(period, 0), sum(priced)
        cac = rounded(Decimal(marketing + team) / len(cohort)) if cohort else None
        monthly = rounded(Decimal(booked) / (12 * len(priced))) if priced else None
        payback = cac / (monthly * float(margin)) if cac is not None and monthly else None
        contribution = rounded(booked * margin) - marketing - team
        yield {
            "period": period,
            "is_over": _begins_at(ledger, _next(period)) <= as_of,
            "new_customers": len(cohort),
            "marketing_cost": written(marketing),
            "team_cost": written(team),
            "has_team_cost": period in teams,
            "cac": written(cac),
            "booked_revenue": written(booked) if priced else None,
            "monthly_revenue": written(monthly),
            "gross_margin": f"{margin:.8f}",
            "payback_months": payback,
            "contribution": written(contribution) if priced else None,
            "unpriced": spent[period].count(None) + len(cohort) - len(priced),
            "currency": ledger.currency,
            "n": len(cohort),
            "is_enough": len(cohort) >= text.get("cascade", {}).get("minimum_n", 30),
        }


def _new_customers(ledger: Ledger) -> Iterator[Win]:
    """First wins of accounts that were no customer before them."""
    onboarded: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for fact in ledger.facts["CustomerOnboarded"]:
        onboarded[fact.fields["account_id"]].append((fact.occurred_at, fact.fields["opportunity_id"]))
    for win in ledger.wins:
        before = (deal for at, deal in onboarded[win.account_id] if at < win.won_at)
        if win.is_first and all(deal == win.opportunity_id for deal in before):
            yield win


def _team_costs(ledger: Ledger, text: Mapping[str, Any]) -> dict[str, int]:
    """Cents per quarter, without the team that only keeps customers."""
    steps = ("captured", "qualified", "accepted", "opportunities", "won", "retained")
    owned = {step: text["cascade"][step] for step in steps if step in text.get("cascade", {})}
    acquiring = {team for step, team in owned.items() if step != "retained"}
    costs: Counter[str] = Counter()
    for cost in text.get("cost", ()):
        if cost["team"] == owned.get("retained") and cost["team"] not in acquiring:
            continue
        cents = ledger.cents(cost["amount"], cost["currency"]) or 0
        if "-" in cost["period"]:
            costs[cost["period"]] += cents
            continue
        for number, part in enumerate([cents // 4] * 3 + [cents - cents // 4 * 3], start=1):
            costs[f"{cost['period']}-Q{number}"] += part
    return costs


def _next(period: str) -> str:
    year, number = int(period[:4]), int(period[-1])
    return f"{year + 1}-Q1" if number == 4 else f"{year}-Q{number + 1}"


def _begins_at(ledger: Ledger, period: str) -> int:
    year, number = int(period[:4]), int(period[-1])
    return microseconds_of(datetime(year, number * 3 - 2, 1, tzinfo=ledger.zone))
