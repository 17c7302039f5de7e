"""Events that belong to no lead: goals, campaigns and their cost, and decisions of the weekly meeting."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from streams.simulator.chance import Dice
from streams.simulator.clock import DAY, HOUR, iso_day
from streams.simulator.customer import money
from streams.simulator.lead import StoryEvent
from streams.simulator.world import MARKETING, SALES, SUCCESS, Campaign, World

# Goals by quarter in EUR for each lead of the simulation: slightly more than it reaches.
REVENUE_PER_LEAD = (620, 1_250, 1_350, 1_450)
PIPELINE_PER_LEAD = (2_600, 3_100, 3_300, 3_500)
KEPT_PER_LEAD = (1_350, 1_700, 1_800, 2_000)

Fields = dict[str, Any]
# The decision, the number that it is meant to move by its address in the meeting pack, and which way.
DECISIONS = (
    ("Answer demo requests before everything else.", "clock/marketing/sales_development/p50_minutes", "fall"),
    ("Stop importing lists without a phone number.", "black_hole/returned_unacknowledged/handoffs", "fall"),
    ("Marketing joins every first call of a named account.", "funnel/offered/cohort_rate", "rise"),
    (
        "Leads that were returned are answered within the day.",
        "sla/acknowledge_return/marketing/kept_share",
        "rise",
    ),
    ("Pause the campaign with the fewest accepted leads.", None, None),
)


def emit_company(world: World, leads: int) -> list[StoryEvent]:
    """All events of the company itself, in no particular order."""
    dice = Dice(f"{world.seed}/company")
    events: list[StoryEvent] = []

    def emit(type_: str, at: int, source: str, fields: dict[str, Any], event_id: str | None = None) -> None:
        events.append(StoryEvent(at, type_, event_id or dice.event_id(), source, None, fields))

    goal_id = _goals(world, dice, leads, emit)
    for campaign in world.campaigns:
        _campaign(world, dice, campaign, goal_id, emit)
    for week in range(world.days // 7):
        if dice.chance(0.4):
            decision, number, should = dice.pick(DECISIONS)
            fields = {
                "decision_id": f"dec-{world.seed}-{week + 1}",
                "decision": decision,
                "decided_by": "weekly meeting",
                "owner": "sales operations",
                "number": number,
                "expected_effect": number and f"{number} should {should}",
            }
            emit("DecisionRecorded", world.start + (week * 7 + 3) * DAY + 10 * HOUR, "baton", fields)
    return [event for event in events if event.at <= world.as_of]


def _goals(world: World, dice: Dice, leads: int, emit: Any) -> str:
    """The year and its quarters: revenue, pipeline, what Success must keep. The id of the first quarter's."""
    year, month = iso_day(world.first_day)[:4], int(iso_day(world.first_day)[5:7])
    scale = max(leads, 100) * 100
    prefix = f"goal-{world.seed}-{year}"

    def line(key: str, above: str | None, period: str, team: str, metric: str, per_lead: int) -> Fields:
        return {
            "goal_id": prefix + key,
            "parent_goal_id": above,
            "period": period,
            "owner_team": team,
            "metric": metric,
            "amount": money(per_lead * scale),
            "currency": "EUR",
        }

    lines = [line("", None, year, SALES, "revenue", sum(REVENUE_PER_LEAD))]
    later = []
    for index in range(4):
        key, period = f"-q{index + 1}", f"{year}-Q{index + 1}"
        lines.append(line(key, prefix, period, SALES, "revenue", REVENUE_PER_LEAD[index]))
        pipeline, kept = PIPELINE_PER_LEAD[index], KEPT_PER_LEAD[index]
        later.append(line(f"{key}-pipeline", prefix + key, period, MARKETING, "pipeline", pipeline))
        later.append(line(f"{key}-kept", f"{prefix}-kept", period, SUCCESS, "retained_revenue", kept))
    lines.append(line("-kept", None, year, SUCCESS, "retained_revenue", KEPT_PER_LEAD[0]))
    for fields in lines:
        emit("GoalSet", world.start - 14 * DAY + int(dice.within(8, 16) * HOUR), "baton", fields)
    chance = Dice(f"{world.seed}/goals")
    for fields in later:
        at = world.start - 13 * DAY + int(chance.within(8, 16) * HOUR)
        emit("GoalSet", at, "baton", fields, chance.event_id())
    _revised(world, chance, later[0], emit)
    return f"{prefix}-q{(month - 1) // 3 + 1}"


def _revised(world: World, dice: Dice, first: dict[str, Any], emit: Any) -> None:
    """Some weeks into the year Marketing's first goal is raised slightly."""
    higher = {**first, "amount": f"{Decimal(first['amount']) * Decimal('1.05'):.2f}"}
    emit("GoalSet", world.start + int(dice.within(20, 30) * DAY), "baton", higher, dice.event_id())


def _campaign(world: World, dice: Dice, campaign: Campaign, goal_id: str, emit: Any) -> None:
    """Planned some weeks ahead, then booked weekly, rarely exactly as planned."""
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
    emit(
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
        emit("CampaignCostBooked", booked_on * DAY + int(dice.within(17, 23) * HOUR), "netsuite", fields)
