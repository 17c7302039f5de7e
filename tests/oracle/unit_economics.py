"""The view unit_economics: what a new customer cost in each quarter, and when that is paid back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_DOWN, Decimal

from tests.oracle.log import Log, Row
from tests.oracle.periods import day_after, first_day, quarter_of
from tests.oracle.playbook import CENT, Playbook, decimal_text, nearest_cent
from tests.oracle.win import Win, wins

KEY = ("period",)
ACQUIRING_STEPS = ("captured", "qualified", "accepted", "opportunities", "won")


def rows(log: Log, playbook: Playbook, as_of: int) -> Iterator[Row]:
    """Grain: one row per quarter with a new customer, a campaign's cost, or a team's cost if it has begun."""
    cohorts: dict[str, list[Win]] = defaultdict(list)
    for win in _new_customers(log, playbook):
        cohorts[win.period].append(win)
    campaign_costs: dict[str, list[Decimal | None]] = defaultdict(list)
    for fact in log.of("CampaignCostBooked"):
        day = date.fromisoformat(fact.fields["booked_on"])
        campaign_costs[quarter_of(day)].append(playbook.priced(fact.fields, day))
    team_costs = _team_costs(playbook)
    begun = {period for period in team_costs if playbook.begins(first_day(period)) <= as_of}
    margin = playbook.gross_margin
    for period in sorted(cohorts.keys() | campaign_costs.keys() | begun):
        cohort, costs = cohorts[period], campaign_costs[period]
        priced = [win.exact for win in cohort if win.exact is not None]
        marketing = nearest_cent(sum((cost or Decimal(0) for cost in costs), Decimal(0)))
        team, booked = team_costs.get(period, Decimal(0)), nearest_cent(sum(priced, Decimal(0)))
        cac = nearest_cent((marketing + team) / len(cohort)) if cohort else None
        monthly = nearest_cent(booked / (12 * len(priced))) if priced else None
        contribution = nearest_cent(booked * margin) - marketing - team if priced else None
        payback = float(cac) / (float(monthly) * float(margin)) if cac is not None and monthly else None
        yield {
            "period": period,
            "is_over": playbook.begins(day_after(period)) <= as_of,
            "new_customers": len(cohort),
            "marketing_cost": decimal_text(marketing),
            "team_cost": decimal_text(team),
            "has_team_cost": period in team_costs,
            "cac": decimal_text(cac),
            "booked_revenue": decimal_text(booked) if priced else None,
            "monthly_revenue": decimal_text(monthly),
            "gross_margin": f"{margin:.8f}",
            "payback_months": payback,
            "contribution": decimal_text(contribution),
            "unpriced": costs.count(None) + len(cohort) - len(priced),
            "currency": playbook.currency,
            "n": len(cohort),
            "is_enough": len(cohort) >= playbook.minimum_n,
        }


def _new_customers(log: Log, playbook: Playbook) -> Iterator[Win]:
    """First wins of accounts that were no customer before them."""
    onboarded: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for fact in log.of("CustomerOnboarded"):
        onboarded[fact.fields["account_id"]].append((fact.occurred_at, fact.fields["opportunity_id"]))
    for win in wins(log, playbook):
        earlier = (deal for at, deal in onboarded[win.account_id] if at < win.won_at)
        if win.is_first and all(deal == win.opportunity_id for deal in earlier):
            yield win


def _team_costs(playbook: Playbook) -> dict[str, Decimal]:
    """Costs per quarter, without those of a team that only keeps customers. Months share a cost."""
    owners = playbook.text.get("cascade", {})
    acquiring = {owners[step] for step in ACQUIRING_STEPS if step in owners}
    costs: dict[str, Decimal] = defaultdict(Decimal)
    for cost in playbook.text.get("cost", ()):
        if cost["team"] == owners.get("retained") and cost["team"] not in acquiring:
            continue
        first, after = playbook.days_of(cost["period"])
        amount = nearest_cent(playbook.priced(cost, first) or Decimal(0))
        months = (after.year - first.year) * 12 + after.month - first.month
        for month in range(months):
            number = first.year * 12 + first.month - 1 + month
            share = [(amount * n / months).quantize(CENT, ROUND_DOWN) for n in (month, month + 1)]
            costs[quarter_of(date(number // 12, number % 12 + 1, 1))] += share[1] - share[0]
    return costs
