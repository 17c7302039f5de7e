-- view:   campaign_outcome
-- grain:  one row per campaign that was planned, booked a cost, captured a lead or earned credit
-- key:    campaign_id
-- reads:  funnel.campaign_cost, funnel.campaign_lead, funnel.opportunity_amount, funnel.attribution, playbook.version
-- says:   what a campaign cost, what became of the leads it captured, and what it brought back in margin
-- means:  Its leads are those of campaign_lead; name, channel, goal, days and planned cost are those of campaign_cost.
--         Opportunities and wins are the deals of those leads; a deal without a lead belongs to no campaign
--         here, but its sessions may earn the campaign credit. A credit note counts in revenue and as no deal. Two revenues, never added: booked_revenue is
--         everything its own leads bought; attributed_revenue is its share of all wins by the linear model,
--         whoever captured the lead. The return is in margin, not in revenue: attributed_revenue x gross margin
--         / booked_cost, where 1 means that the campaign paid for itself.
-- columns:
--   campaign_id         the campaign
--   name                its name; null when it was never planned
--   channel             its main channel
--   goal_id             the goal it is meant to serve
--   starts_on           first day
--   ends_on             last day
--   planned             planned cost (decimal)
--   booked_cost         cost booked so far (decimal)
--   cost_events         bookings of cost
--   captured            leads it captured
--   qualified           of those, leads that met the playbook's definition
--   accepted            of those captured, leads that a team accepted
--   opportunities       deals opened with its leads
--   won                 of its leads' deals, those won
--   booked_revenue      what those wins booked (decimal)
--   attributed_revenue  its linear share of all wins (decimal)
--   margin_return       attributed_revenue x gross margin / booked_cost; null without cost
--   cost_per_qualified  booked_cost / qualified (decimal); null without any
--   unpriced            amounts without a rate: its planned cost, its bookings, and the wins of its leads or with
--                       credit for it; they are in no sum
--   currency            the goal's currency, ISO 4217
--   n                   leads it captured: the cases its numbers begin with
--   is_enough           true when n reaches the playbook's minimum
--   playbook_version    the playbook whose rates, margin and minimum these are
with
campaign_lead as materialized (
    select lead_id, campaign_id, is_qualified, is_accepted from funnel.campaign_lead
),
lead as (
    select campaign_id, count(*) as captured, count(*) filter (where is_qualified) as qualified,
        count(*) filter (where is_accepted) as accepted
    from campaign_lead
    group by campaign_id
),
deal_of_lead as (
    select campaign_id, opportunity_id, status, status = 'won' as is_won, exact_booked as booked
    from funnel.opportunity_amount
    join campaign_lead using (lead_id)
    where opened_at is not null or status in ('won', 'credit')
),
deal as (
    select campaign_id, count(*) filter (where status <> 'credit') as opportunities, count(*) filter (where is_won) as won,
        sum(booked) as booked_revenue
    from deal_of_lead
    group by campaign_id
),
credited as materialized (
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
        select campaign_id, opportunity_id from deal_of_lead where is_won and booked is null
        union all
        select campaign_id, opportunity_id from credited where booked is null
    )
    group by campaign_id
),
total as (
    select campaign_id, name, channel, goal_id, starts_on, ends_on, planned,
        coalesce(booked_cost, 0)::decimal(38,2) as booked_cost,
        coalesce(cost_events, 0) as cost_events,
        coalesce(captured, 0) as captured,
        coalesce(qualified, 0) as qualified,
        coalesce(accepted, 0) as accepted,
        coalesce(opportunities, 0) as opportunities,
        coalesce(won, 0) as won,
        cents(coalesce(booked_revenue, 0)) as booked_revenue,
        coalesce(attributed_revenue, 0)::decimal(38,2) as attributed_revenue,
        coalesce(cost.unpriced, 0) + coalesce(unpriced_wins, 0) as unpriced
    from funnel.campaign_cost as cost
    full join lead using (campaign_id)
    full join attributed using (campaign_id)
    left join deal using (campaign_id)
    left join unpriced using (campaign_id)
)
select
    campaign_id,
    total.name,
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
    portion(booked_cost, 1, qualified) as cost_per_qualified,
    unpriced,
    version.currency,
    captured as n,
    captured >= minimum_n as is_enough,
    version.playbook_version
from total
cross join playbook.version as version
order by campaign_id
