-- view:   campaign_cost
-- grain:  one row per campaign that was planned or booked a cost
-- key:    campaign_id
-- reads:  resolved.campaign_planned, resolved.campaign_cost_booked, playbook.rate, playbook.version
-- says:   what a campaign was planned to cost, and what was booked for it
-- means:  Name, channel, goal, days and planned cost are those of the latest CampaignPlanned. An amount without a
--         rate is counted as unpriced and is in no sum. A refund is a negative cost. Rates are those of the day the
--         cost belongs to; of the plan, those of the first day.
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
        cents(converted(amount, exchange.rate)) as planned,
        (amount is not null and exchange.rate is null)::integer as unpriced
    from resolved.campaign_planned as planned
    left join playbook.rate as exchange on is_rate_of(exchange, planned.currency, starts_on)
    qualify row_number() over (partition by campaign_id order by occurred_at desc, event_id desc) = 1
),
cost as (
    select campaign_id, count(*) as cost_events, sum(converted(amount, exchange.rate)) as booked_cost,
        count(*) filter (where exchange.rate is null) as unpriced
    from resolved.campaign_cost_booked as booked
    left join playbook.rate as exchange on is_rate_of(exchange, booked.currency, booked_on)
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
    cents(coalesce(booked_cost, 0)) as booked_cost,
    coalesce(cost_events, 0) as cost_events,
    coalesce(plan.unpriced, 0) + coalesce(cost.unpriced, 0) as unpriced,
    version.currency,
    version.playbook_version
from plan
full join cost using (campaign_id)
cross join playbook.version as version
