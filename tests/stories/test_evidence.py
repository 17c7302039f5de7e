"""The events behind a number are the number: counted or summed up again, they give what the view says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from projections.playbook import read_playbook
from projections.projection import views
from streams.queries.explanation import evidence
from streams.simulator import simulate
from tests.given import as_bytes, given, in_memory
from warehouse.warehouse import Warehouse

# Each query gives rows (key, by the events, by the view); the two must be the same, and some not nothing.
IDENTITIES = {
    "black_hole": """
        select state, count(event_id), any_value(handoffs)
        from funnel.black_hole left join behind using (state) group by state""",
    "handoff_pair": """
        select [from_team, to_team], count(*) filter (where event_type = 'HandoffOffered'), any_value(offered)
        from funnel.handoff_pair join behind using (from_team, to_team) group by all""",
    "funnel_stage": """
        select [stage, window_start::varchar], count(event_id), any_value(entered)
        from funnel.funnel_stage left join behind using (stage, window_start) group by all""",
    "stage_time": """
        select [stage, window_start::varchar], count(event_id),
            any_value(settled + still_there + skipped + clock_suspect)
        from funnel.stage_time left join behind using (stage, window_start) group by all""",
    "stage_conversion": """
        select [from_stage, to_stage, window_start::varchar], count(event_id), any_value(entered)
        from funnel.stage_conversion left join behind using (from_stage, to_stage, window_start)
        group by all""",
    "deal_without_lead": """
        select window_start,
            count(distinct opened.opportunity_id) filter (
                where opened_at >= window_start and opened_at < window_start + interval 1 month),
            any_value(opened)
        from funnel.deal_without_lead
        left join behind using (window_start)
        left join funnel.deal_event as opened using (event_type, event_id)
        left join (
            select opportunity_id, coalesce(opened_at, closed_at) as opened_at from funnel.opportunity_amount
        ) as deal on deal.opportunity_id = opened.opportunity_id
        group by window_start""",
    "qualification": """
        select lead_id, count(event_id),
            list_unique(list_transform(any_value(criteria), lambda c: c.event_id))
        from funnel.qualification left join behind using (lead_id) group by lead_id""",
    "definition_quality": """
        select [playbook_version, segment],
            [count(event_id) filter (where event_type = 'OpportunityWon'),
             count(event_id) filter (where event_type = 'HandoffAccepted'),
             count(event_id) filter (where event_type = 'HandoffReturned')],
            [any_value(wins), any_value(accepted), any_value(returned)]
        from funnel.definition_quality left join behind using (playbook_version, segment) group by all""",
    "goal_attainment": """
        select [period, owner_team], cents(coalesce(sum(converted(won.amount, rate)), 0)), any_value(actual)
        from funnel.goal_attainment
        left join behind using (period, owner_team, metric)
        left join facts.opportunity_won as won using (event_id)
        left join playbook.rate as exchange
            on is_rate_of(exchange, won.currency, won.occurred_at::date)
        where metric = 'revenue'
        group by period, owner_team""",
    "goal_cascade": """
        select [goal_id, step],
            count(told.event_id) filter (where told.occurred_at >= day_begins(window_starts_on, zone)
                and told.occurred_at < day_begins(window_ends_on + 1, zone)),
            any_value(actual)
        from funnel.goal_cascade
        left join behind using (goal_id, step)
        left join facts.event as told using (event_type, event_id)
        cross join playbook.version
        where step in ('captured', 'accepted', 'opportunities', 'won')
        group by goal_id, step""",
    "gap_bridge": """
        select goal_id, count(event_id), any_value(attained.n + attained.unpriced)
        from funnel.gap_bridge
        join funnel.goal_attainment as attained using (goal_id)
        left join behind using (goal_id, cause)
        where cause = 'unexplained'
        group by goal_id""",
    "pipeline_coverage": """
        select [looked_on::varchar, horizon],
            count(event_id) filter (where event_type = 'OpportunityOpened'), any_value(deals_now)
        from funnel.pipeline_coverage left join behind using (looked_on, horizon) group by all""",
    # With one subscription each, the cohort is every customer reported before the quarter and not churned.
    "retention": """
        select period, count(*) filter (where last_said <> 'SubscriptionChurned'), any_value(customers)
        from funnel.retention
        left join (
            select period, account_id, max_by(event_type, told.occurred_at) as last_said
            from behind
            join facts.event as told using (event_type, event_id)
            join funnel.retention using (period)
            cross join playbook.version
            where told.occurred_at < day_begins(starts_on, zone)
            group by all
        ) using (period)
        group by period""",
    "promise_churn": """
        select promise_state,
            [count(distinct account_id), count(event_id) filter (where event_type = 'SubscriptionChurned')],
            [any_value(customers), any_value(churned)]
        from funnel.promise_churn
        left join behind using (promise_state)
        left join facts.event as told using (event_type, event_id)
        group by promise_state""",
    "feedback_loop": """
        select [from_team, to_team, reason_code],
            [count(*) filter (where event_type = 'HandoffReturned'),
             count(*) filter (where event_type = 'FeedbackAcknowledged')],
            [any_value(returned), any_value(acknowledged)]
        from funnel.feedback_loop join behind using (from_team, to_team, reason_code) group by all""",
    "joint_call": """
        select is_marketing_present,
            [count(*) filter (where event_type = 'CallHeld'),
             count(*) filter (where event_type = 'OpportunityWon'),
             count(*) filter (where event_type = 'OpportunityLost')],
            [any_value(calls), any_value(won), any_value(lost)]
        from funnel.joint_call join behind using (is_marketing_present) group by all""",
    "buying_group": """
        select [account_id, role], count(distinct contact_id), any_value(assigned)
        from funnel.buying_group
        left join behind using (account_id, role)
        left join facts.buying_group_member_identified as found using (event_id)
        group by account_id, buying_group.role""",
    "attribution_team": """
        select [model, period, team], count(*) filter (where event_type = 'OpportunityWon'),
            any_value(conversions)
        from funnel.attribution_team join behind using (model, period, team)
        where conversions > 0
        group by all""",
    "campaign_outcome": """
        select campaign_id,
            [cents(coalesce(sum(converted(cost.amount, rate)), 0)),
             count(*) filter (where event_type = 'LeadCaptured'),
             count(*) filter (where event_type = 'OpportunityWon')],
            [any_value(booked_cost), any_value(captured), any_value(won)]
        from funnel.campaign_outcome
        join behind using (campaign_id)
        left join facts.campaign_cost_booked as cost using (event_id)
        left join playbook.rate as exchange on is_rate_of(exchange, cost.currency, booked_on)
        group by campaign_id""",
    "unit_economics": """
        select period,
            [cents(coalesce(sum(converted(cost.amount, rate)), 0)),
             count(*) filter (where event_type = 'OpportunityWon')],
            [any_value(marketing_cost), any_value(new_customers)]
        from funnel.unit_economics
        join behind using (period)
        left join facts.campaign_cost_booked as cost using (event_id)
        left join playbook.rate as exchange on is_rate_of(exchange, cost.currency, booked_on)
        group by period""",
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder: Path = tmp_path_factory.mktemp("story")
    as_of = simulate(7, 300, folder).as_of
    lines = (folder / "events.jsonl").read_text().splitlines()
    warehouse = in_memory(read_playbook())
    given(warehouse, as_bytes(json.loads(line) for line in lines))
    warehouse.pin_as_of(as_of)
    return warehouse


def _behind(warehouse: Warehouse, name: str) -> str:
    view = next(view for view in views() if view.name == name)
    ((as_of,),) = warehouse.connection.execute("select as_of from warehouse.as_of").fetchall()
    return f"select distinct * from ({evidence(view, as_of)})"


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_events_give_the_number_again(warehouse: Warehouse, name: str) -> None:
    query = f"with behind as materialized ({_behind(warehouse, name)}) {IDENTITIES[name]}"

    rows: list[tuple[Any, ...]] = warehouse.connection.execute(query).fetchall()

    assert any(by_view for _, _, by_view in rows), "there is nothing to compare"
    assert [row for row in rows if row[1] != row[2]] == []


@pytest.mark.parametrize("name", [view.name for view in views() if view.name != "failed_events"])
def test_what_is_behind_a_number_are_events_there_are(warehouse: Warehouse, name: str) -> None:
    unknown = warehouse.connection.execute(
        f"select * from ({_behind(warehouse, name)}) anti join facts.event using (event_type, event_id)"
    ).fetchall()

    assert unknown == []
