-- view:   campaign_cost
-- grain:  one row per campaign that was planned or booked a cost
-- key:    campaign_id
-- reads:  resolved.campaign_planned, resolved.campaign_cost_booked, playbook.rate, playbook.version
-- says:   what a campaign was planned to cost, and what was booked for it
-- means:  Name, channel, goal, days and planned cost are those of the latest CampaignPlanned. An amount without a
--         rate is counted as unpriced and is in no sum.
-- columns:
--   campaign_id       the campaign
--   name              its name; null when it was never planned
--   channel           its main channel
--   goal_id           the goal it is meant to serve
--   starts_on         first day
--   ends_on           last day
--   planned           planned cost (decimal)
--   booked_cost       cost booked so far (decimal)
--   cost_events       bookings of cost
--   unpriced          amounts without a rate: its planned cost, and bookings
--   currency          the goal's currency, ISO 4217
--   playbook_version  the playbook whose rates these are
with
plan as (
    select campaign_id, name, channel, goal_id, starts_on, ends_on,
        converted(amount, rate.rate) as planned,
        (amount is not null and rate.rate is null)::integer as unpriced
    from resolved.campaign_planned as planned
    left join playbook.rate as rate on rate.currency = planned.currency
    qualify row_number() over (partition by campaign_id order by occurred_at desc, event_id desc) = 1
),
cost as (
    select campaign_id, count(*) as cost_events, sum(converted(amount, rate.rate)) as booked_cost,
        count(*) filter (where rate.rate is null) as unpriced
    from resolved.campaign_cost_booked as booked
    left join playbook.rate as rate on rate.currency = booked.currency
    group by campaign_id
)
select
    campaign_id,
    plan.name,
    channel,
    goal_id,
    starts_on,
    ends_on,
    planned,
    coalesce(booked_cost, 0)::decimal(38,2) as booked_cost,
    coalesce(cost_events, 0) as cost_events,
    coalesce(plan.unpriced, 0) + coalesce(cost.unpriced, 0) as unpriced,
    version.currency,
    version.playbook_version
from plan
full join cost using (campaign_id)
cross join playbook.version as version
