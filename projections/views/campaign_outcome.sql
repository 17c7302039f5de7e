-- view:   campaign_outcome
-- grain:  one row per campaign that was planned, booked a cost, captured a lead or earned credit
-- key:    campaign_id
-- reads:  facts.campaign_planned, facts.campaign_cost_booked, facts.lead_captured, facts.handoff_accepted,
--         facts.opportunity_opened, funnel.lead_identity, funnel.win, funnel.attribution, funnel.lead_verdict,
--         playbook.rate, playbook.version
-- says:   what a campaign cost, what became of the leads it captured, and what it brought back in margin
-- means:  A campaign's leads are those whose earliest LeadCaptured that names a campaign names it. Accepted:
--         leads with a HandoffAccepted. Opportunities and wins are those whose opening (or win) names such a
--         lead; a deal that names no lead belongs to no campaign here, but its sessions may earn the campaign
--         credit. Two revenues, never added: booked_revenue is everything its own leads bought;
--         attributed_revenue is its share by the linear model, of anybody's wins. The return is in margin,
--         not in revenue: attributed_revenue x gross margin / booked_cost, where 1 means the money came back.
--         Name, channel, goal, days and plan are those of the latest CampaignPlanned.
-- columns:
--   campaign_id         the campaign
--   name                its name; null when nobody planned it
--   channel             its main channel
--   goal_id             the goal it is meant to serve
--   starts_on           first day
--   ends_on             last day
--   planned             planned cost (decimal)
--   booked_cost         cost booked so far (decimal)
--   cost_events         bookings of cost
--   captured            leads it captured
--   qualified           of those, leads that met the playbook's definition
--   accepted            of those captured, leads a team accepted
--   opportunities       deals opened with its leads
--   won                 of its leads' deals, those won
--   booked_revenue      what those wins booked (decimal)
--   attributed_revenue  its linear share of all wins (decimal)
--   margin_return       attributed_revenue x gross margin / booked_cost; null without cost
--   cost_per_qualified  booked_cost / qualified (decimal); null without any
--   unpriced            amounts without a rate: its plan, costs, and wins it captured or has credit in; they are in
--                       no sum
--   currency            the goal's currency, ISO 4217
--   n                   leads it captured: the cases its numbers begin with
--   is_enough           true when there are as many as the playbook asks for
--   playbook_version    the playbook whose rates, margin and minimum these are
with
plan as (
    select campaign_id, name, channel, goal_id, starts_on, ends_on, amount, currency
    from facts.campaign_planned
    where occurred_at <= $as_of
    qualify row_number() over (partition by campaign_id order by occurred_at desc, event_id desc) = 1
),
planned as (
    select plan.* exclude (amount, currency), converted(plan.amount, rate.rate) as planned,
        (plan.amount is not null and rate.rate is null)::integer as unpriced_plan
    from plan
    left join playbook.rate as rate on rate.currency = plan.currency
),
cost as (
    select campaign_id, count(*) as cost_events, sum(converted(amount, rate.rate)) as booked_cost,
        count(*) filter (where rate.rate is null) as unpriced_costs
    from facts.campaign_cost_booked as booked
    left join playbook.rate as rate on rate.currency = booked.currency
    where booked.occurred_at <= $as_of
    group by campaign_id
),
lead_campaign as (
    select coalesce(identity.surviving_lead_id, captured.lead_id) as lead_id,
        min({'occurred_at': occurred_at, 'event_id': captured.event_id, 'campaign_id': campaign_id}).campaign_id
            as campaign_id
    from facts.lead_captured as captured
    left join funnel.lead_identity as identity on identity.lead_id = captured.lead_id
    where campaign_id is not null and occurred_at <= $as_of
    group by all
),
qualified as (
    select distinct lead_id from funnel.lead_verdict where is_qualified and qualified_at <= $as_of
),
accepted as (
    select distinct coalesce(identity.surviving_lead_id, answer.lead_id) as lead_id
    from facts.handoff_accepted as answer
    left join funnel.lead_identity as identity on identity.lead_id = answer.lead_id
    where occurred_at <= $as_of
),
lead as (
    select campaign_id, count(*) as captured, count(qualified.lead_id) as qualified,
        count(accepted.lead_id) as accepted
    from lead_campaign
    left join qualified using (lead_id)
    left join accepted using (lead_id)
    group by campaign_id
),
opened as (
    select opportunity_id, coalesce(identity.surviving_lead_id, told.lead_id) as lead_id
    from facts.opportunity_opened as told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    where occurred_at <= $as_of
    qualify row_number() over (partition by opportunity_id order by occurred_at, told.event_id) = 1
),
-- The lead of a deal: the one its opening names, else the one its win names.
deal as (
    select opportunity_id, coalesce(opened.lead_id, win.lead_id) as lead_id, win.won_at is not null as is_won,
        win.booked
    from opened
    full join funnel.win as win using (opportunity_id)
),
captured_deal as (
    select lead_campaign.campaign_id, deal.*
    from deal
    join lead_campaign using (lead_id)
),
bought as (
    select campaign_id, count(*) as opportunities, count(*) filter (where is_won) as won,
        sum(booked) as booked_revenue
    from captured_deal
    group by campaign_id
),
credited as (
    select campaign_id, opportunity_id, booked, amount
    from funnel.attribution
    where model = 'linear' and campaign_id is not null
),
attributed as (
    select campaign_id, sum(amount) as attributed_revenue from credited group by campaign_id
),
unpriced as (
    select campaign_id, count(distinct opportunity_id) as unpriced_wins
    from (
        select campaign_id, opportunity_id from captured_deal where is_won and booked is null
        union all
        select campaign_id, opportunity_id from credited where booked is null
    )
    group by campaign_id
),
campaign as (
    select campaign_id from planned
    union
    select campaign_id from cost
    union
    select campaign_id from lead
    union
    select campaign_id from attributed
),
together as (
    select campaign_id, name, channel, goal_id, starts_on, ends_on, planned,
        coalesce(booked_cost, 0)::decimal(38,2) as booked_cost,
        coalesce(cost_events, 0) as cost_events,
        coalesce(captured, 0) as captured,
        coalesce(qualified, 0) as qualified,
        coalesce(accepted, 0) as accepted,
        coalesce(opportunities, 0) as opportunities,
        coalesce(won, 0) as won,
        coalesce(booked_revenue, 0)::decimal(38,2) as booked_revenue,
        coalesce(attributed_revenue, 0)::decimal(38,2) as attributed_revenue,
        coalesce(unpriced_plan, 0) + coalesce(unpriced_costs, 0) + coalesce(unpriced_wins, 0) as unpriced
    from campaign
    left join planned using (campaign_id)
    left join cost using (campaign_id)
    left join lead using (campaign_id)
    left join bought using (campaign_id)
    left join attributed using (campaign_id)
    left join unpriced using (campaign_id)
)
select
    campaign_id,
    together.name,
    channel,
    goal_id,
    starts_on,
    ends_on,
    planned,
    booked_cost,
    cost_events,
    captured,
    qualified,
    accepted,
    opportunities,
    won,
    booked_revenue,
    attributed_revenue,
    attributed_revenue::double * gross_margin::double / nullif(booked_cost, 0)::double as margin_return,
    -- Whole cents, halves up.
    (((2 * (booked_cost * 100)::hugeint + qualified) // nullif(2 * qualified, 0))::decimal(38,0) * 0.01)
        ::decimal(38,2) as cost_per_qualified,
    unpriced,
    version.currency,
    captured as n,
    captured >= minimum_n as is_enough,
    version.playbook_version
from together
cross join playbook.version as version
order by campaign_id
