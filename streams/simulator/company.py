"""What belongs to no lead: goals, campaigns and their cost, and what the weekly meeting decides."""

from __future__ import annotations

from typing import Any

from streams.simulator.chance import Dice
from streams.simulator.clock import DAY, HOUR, iso_day
from streams.simulator.customer import money
from streams.simulator.lead import Told
from streams.simulator.world import Campaign, World

DECISIONS = (
    ("Answer demo requests before everything else.", "median latency of demo requests falls"),
    ("Stop importing lists without a phone number.", "returns with bad_data fall"),
    ("Marketing joins every first call of a named account.", "acceptance rises"),
    ("Leads that were returned are answered within the day.", "unacknowledged returns fall"),
    ("Pause the campaign with the fewest accepted leads.", None),
)


def tell_company(world: World, leads: int) -> list[Told]:
    """All events of the company itself, in no particular order."""
    dice = Dice(f"{world.seed}/company")
    told: list[Told] = []

    def tell(type_: str, at: int, source: str, fields: dict[str, Any]) -> None:
        told.append(Told(at, type_, dice.event_id(), source, None, fields))

    goal_id = _goals(world, dice, leads, tell)
    for campaign in world.campaigns:
        _campaign(world, dice, campaign, goal_id, tell)
    for week in range(world.days // 7):
        if dice.chance(0.4):
            decision, effect = dice.pick(DECISIONS)
            fields = {
                "decision_id": f"dec-{world.seed}-{week + 1}",
                "decision": decision,
                "decided_by": "weekly meeting",
                "expected_effect": effect,
            }
            tell("DecisionRecorded", world.start + (week * 7 + 3) * DAY + 10 * HOUR, "baton", fields)
    return [event for event in told if event.at <= world.as_of]


def _goals(world: World, dice: Dice, leads: int, tell: Any) -> str:
    """The year's revenue, its quarters, and what Success must keep. The id of the first quarter's goal."""
    year, month = iso_day(world.first_day)[:4], int(iso_day(world.first_day)[5:7])
    cents = max(leads, 100) * 90_000 * 100
    prefix = f"goal-{world.seed}-{year}"
    lines: list[tuple[str, str | None, str, str, str, int]] = [
        (prefix, None, year, "sales", "revenue", cents)
    ]
    for quarter in range(1, 5):
        lines.append((f"{prefix}-q{quarter}", prefix, f"{year}-Q{quarter}", "sales", "revenue", cents // 4))
    lines.append((f"{prefix}-kept", prefix, year, "customer_success", "retained_revenue", cents // 3))
    for goal_id, parent, period, team, metric, amount in lines:
        fields = {
            "goal_id": goal_id,
            "parent_goal_id": parent,
            "period": period,
            "owner_team": team,
            "metric": metric,
            "amount": money(amount),
            "currency": "EUR",
        }
        tell("GoalSet", world.start - 14 * DAY + int(dice.within(8, 16) * HOUR), "baton", fields)
    return f"{prefix}-q{(month - 1) // 3 + 1}"


def _campaign(world: World, dice: Dice, campaign: Campaign, goal_id: str, tell: Any) -> None:
    """Planned some weeks ahead, then booked by the week, seldom exactly as planned."""
    fields = {
        "campaign_id": campaign.campaign_id,
        "name": campaign.name,
        "goal_id": goal_id if dice.chance(0.8) else None,
        "channel": campaign.channel,
        "starts_on": iso_day(campaign.starts_on),
        "ends_on": iso_day(campaign.ends_on),
        "amount": money(campaign.planned),
        "currency": campaign.currency,
    }
    tell(
        "CampaignPlanned", (campaign.starts_on - 20) * DAY + int(dice.within(8, 16) * HOUR), "hubspot", fields
    )
    weeks = max(1, (campaign.ends_on - campaign.starts_on) // 7)
    for week in range(weeks):
        booked_on = campaign.starts_on + week * 7 + 6
        fields = {
            "campaign_id": campaign.campaign_id,
            "booked_on": iso_day(booked_on),
            "amount": money(int(campaign.planned / weeks * dice.within(0.7, 1.35))),
            "currency": campaign.currency,
        }
        tell("CampaignCostBooked", booked_on * DAY + int(dice.within(17, 23) * HOUR), "netsuite", fields)
