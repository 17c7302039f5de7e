-- view:   pipeline_coverage
-- grain:  one row per day looked on and quarter in which deals are to close: that day's, the next, and two out
-- key:    looked_on, closes_in
-- reads:  funnel.deal_event, funnel.goal, playbook.rate, playbook.version
-- says:   whether the open deals are enough for what is left of each quarter's goal, as reported then and as known
--         now
-- means:  The days looked on are the first day of each month since the first deal, at its first instant, and the
--         day of as-of, at as-of itself. Then: what had happened by that instant and was recorded by it. Now:
--         what had happened by that instant, as recorded by as-of. The two differ only by what was recorded late.
--         A deal is open when it was opened and has neither been won nor lost since; it belongs to the quarter of
--         the closing day it was last given, so a deal without a closing day, or with one outside these quarters,
--         is in no row. Goal left is the quarter's revenue goal, as set now (goals that are part
--         of another one are in that one), less what was won in that quarter
--         until the instant; below zero the goal is exceeded. Coverage is open pipeline / goal left, unweighted.
-- columns:
--   looked_on           the day
--   closes_in           the quarter the deals are to close in
--   horizon             current, next or two_out
--   open_pipeline_then  amounts of the open deals, as recorded then
--   deals_then          open deals, as recorded then
--   goal_left_then      goal less won, as recorded then; null without a goal
--   coverage_then       open pipeline / goal left, as recorded then; null when no goal is left
--   open_pipeline_now   amounts of the open deals, as known now
--   deals_now           open deals, as known now
--   goal_left_now       goal less won, as known now; null without a goal
--   coverage_now        open pipeline / goal left, as known now; null when no goal is left
--   unpriced            deals of the row, open or won, without an amount or a rate, as known now
--   currency            currency of the money
--   playbook_version    the playbook whose goals, rates and zone these are
with
deal_event as materialized (
    from funnel.deal_event where event_type <> 'OpportunityStageEntered'
),
span as (
    select zone, currency as goals_currency, playbook_version,
        ((select min(occurred_at) from deal_event) at time zone zone)::date as first_on,
        ($as_of at time zone zone)::date as last_on
    from playbook.version
),
look as (
    select looked_on, day_begins(looked_on, zone) as looked_at, zone
    from span
    cross join lateral (
        select unnest(generate_series(date_trunc('month', first_on), last_on, interval 1 month))::date as looked_on
    )
    where looked_on >= first_on and looked_on < last_on
    union all
    select last_on, $as_of, zone from span where first_on is not null
),
-- Each deal by the events that had happened by then, of those recorded by then or by now.
known_deal as (
    select looked_on, zone, is_then, opportunity_id,
        deal_opening(event) as opening,
        deal_amount(event) as amount,
        deal_closing_day(event) as closing_day,
        deal_outcome(event) as outcome
    from look
    cross join (values (true), (false)) as knowledge(is_then)
    join deal_event as event
        on occurred_at <= looked_at and recorded_at <= case when is_then then looked_at else $as_of end
    group by all
),
priced_deal as (
    select looked_on, is_then, quarter_of(closing_day.closes_on) as closes_in, true as is_open,
        converted(amount.amount, rate) as amount
    from known_deal
    left join playbook.rate as exchange on is_rate_of(exchange, known_deal.amount.currency, looked_on)
    where outcome is null and opening is not null
    union all
    select looked_on, is_then, quarter_of((outcome.place.occurred_at at time zone zone)::date), false,
        converted(outcome.amount, rate)
    from known_deal
    left join playbook.rate as exchange on is_rate_of(
        exchange, known_deal.outcome.currency, (outcome.place.occurred_at at time zone zone)::date)
    where outcome.is_won
),
quarter_total as (
    select looked_on, closes_in,
        coalesce(sum(amount) filter (where is_open and is_then), 0)::decimal(38,2) as open_then,
        count(*) filter (where is_open and is_then) as deals_then,
        coalesce(sum(amount) filter (where not is_open and is_then), 0)::decimal(38,2) as won_then,
        coalesce(sum(amount) filter (where is_open and not is_then), 0)::decimal(38,2) as open_now,
        count(*) filter (where is_open and not is_then) as deals_now,
        coalesce(sum(amount) filter (where not is_open and not is_then), 0)::decimal(38,2) as won_now,
        count(*) filter (where not is_then and amount is null) as unpriced
    from priced_deal
    group by all
),
quarter_goal as (
    select period as closes_in, sum(goal_amount) as goal_amount
    from funnel.goal
    where metric = 'revenue' and not is_part and goal_amount is not null
    group by period
)
select
    looked_on,
    closes_in,
    horizon,
    coalesce(open_then, 0)::decimal(38,2) as open_pipeline_then,
    coalesce(deals_then, 0) as deals_then,
    (goal_amount - coalesce(won_then, 0))::decimal(38,2) as goal_left_then,
    case when goal_left_then > 0 then open_pipeline_then::double / goal_left_then::double end as coverage_then,
    coalesce(open_now, 0)::decimal(38,2) as open_pipeline_now,
    coalesce(deals_now, 0) as deals_now,
    (goal_amount - coalesce(won_now, 0))::decimal(38,2) as goal_left_now,
    case when goal_left_now > 0 then open_pipeline_now::double / goal_left_now::double end as coverage_now,
    coalesce(unpriced, 0) as unpriced,
    goals_currency as currency,
    playbook_version
from (
    select looked_on, quarter_of(looked_on + to_months(3 * quarters_ahead)) as closes_in, horizon
    from look
    cross join (values (0, 'current'), (1, 'next'), (2, 'two_out')) as horizons(quarters_ahead, horizon)
)
cross join span
left join quarter_total using (looked_on, closes_in)
left join quarter_goal using (closes_in)
