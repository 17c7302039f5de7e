-- view:   pipeline_coverage
-- grain:  one row per day looked on and quarter in which deals are to close: that day's, the next, and two out; and one
--         each for the open deals that are overdue, undated or to close later, where there are such
-- key:    looked_on, horizon
-- reads:  funnel.coverage_day, funnel.deal_event, funnel.goal, playbook.rate, playbook.version
-- says:   whether the open deals are enough for what is left of each quarter's goal, as reported then and as known
--         now
-- means:  The days looked on are the first day of each month since the first deal, at its first instant, and the
--         day of as-of, at as-of itself. Then: what had happened by that instant and was recorded by it. Now:
--         what had happened by that instant, as known now. The two differ only by what was recorded late.
--         A deal is open when it was opened and is neither won nor lost (see deal); it belongs to the quarter of the
--         closing day it was last given. One whose closing day has passed is overdue, one without a closing day
--         undated, and one that is to close after these quarters later: the rows of a day add up to the deals open
--         on it. Goal left is the quarter's revenue goal, as set now (goals that are part of another one are in that one),
--         less what was booked in that quarter until the instant; below zero the goal is exceeded. Coverage is open pipeline / goal left, unweighted.
-- columns:
--   looked_on           the day
--   closes_in           the quarter the deals are to close in; null when overdue, undated or later
--   horizon             current, next, two_out, later, overdue or undated
--   open_pipeline_then  amounts of the open deals, as recorded then
--   deals_then          open deals, as recorded then
--   goal_left_then      goal less booked, as recorded then; null without a goal
--   coverage_then       open pipeline / goal left, as recorded then; null when no goal is left
--   open_pipeline_now   amounts of the open deals, as known now
--   deals_now           open deals, as known now
--   goal_left_now       goal less booked, as known now; null without a goal
--   coverage_now        open pipeline / goal left, as known now; null when no goal is left
--   unpriced            deals of the row, open or won, without an amount or a rate, as known now
--   currency            currency of the money
--   playbook_version    the playbook whose goals, rates and zone these are
with
deal_event as materialized (
    from funnel.deal_event where event_type <> 'OpportunityStageEntered'
),
-- Of each event the first day that knows it: of those recorded by then, or by now.
known_event as (
    select opportunity_id, is_then, event, looked_on as since_on
    from (
        select opportunity_id, is_then, event,
            greatest(least(occurred_at, $as_of), case when is_then then recorded_at end) as known_at
        from deal_event as event
        cross join (values (true), (false)) as knowledge(is_then)
    )
    asof join funnel.coverage_day on known_at <= looked_at
),
-- Each deal as these events report it, from one day on until another event is known.
known_deal as (
    select opportunity_id, is_then, since_on, deal_outcome(known) as outcome, known,
        lead(since_on) over (partition by opportunity_id, is_then order by since_on) as until_on
    from (
        select opportunity_id, is_then, change.since_on, deal_known(event) as known
        from (select distinct opportunity_id, is_then, since_on from known_event) as change
        join known_event using (opportunity_id, is_then)
        where known_event.since_on <= change.since_on
        group by all
    )
),
-- What counts in a row: an open deal, or what a win or a credit booked.
counted_deal as (
    select is_then, since_on, until_on, outcome is null as is_open,
        case when is_open then known.amount else outcome.booked end as given,
        case when is_open then known.closing_day.closes_on
             else (outcome.place.occurred_at at time zone zone)::date end as counts_on
    from known_deal
    cross join playbook.version
    where outcome.is_won or outcome is null and known.opening is not null
),
counted_amount as (
    select looked_on, is_then, is_open, given, counts_on,
        case
            when not is_open then null
            when counts_on is null then 'undated'
            when counts_on < looked_on then 'overdue'
            when quarter_of(counts_on) > quarter_of(looked_on + to_months(6)) then 'later'
        end as horizon,
        case when horizon is null then quarter_of(counts_on) end as closes_in
    from counted_deal
    join funnel.coverage_day on since_on <= looked_on and looked_on < coalesce(until_on, 'infinity'::date)
    -- Of what was booked, no row shows another quarter than that day's and the next two.
    where is_open or quarter_of(counts_on) between quarter_of(looked_on) and quarter_of(looked_on + to_months(6))
),
line_total as (
    select looked_on, horizon, closes_in,
        coalesce(sum(amount) filter (where is_open and is_then), 0)::decimal(38,2) as open_then,
        count(*) filter (where is_open and is_then) as deals_then,
        coalesce(sum(amount) filter (where not is_open and is_then), 0)::decimal(38,2) as booked_then,
        coalesce(sum(amount) filter (where is_open and not is_then), 0)::decimal(38,2) as open_now,
        count(*) filter (where is_open and not is_then) as deals_now,
        coalesce(sum(amount) filter (where not is_open and not is_then), 0)::decimal(38,2) as booked_now,
        count(*) filter (where not is_then and amount is null) as unpriced
    from (
        select counted_amount.*, converted(given.amount, rate) as amount
        from counted_amount
        left join playbook.rate as exchange on is_rate_of(
            exchange, counted_amount.given.currency, case when is_open then looked_on else counts_on end)
    )
    group by all
),
line as (
    select looked_on, horizon, quarter_of(looked_on + to_months(3 * quarters_ahead)) as closes_in
    from funnel.coverage_day
    cross join (values (0, 'current'), (1, 'next'), (2, 'two_out')) as horizons(quarters_ahead, horizon)
    union all
    select looked_on, horizon, null from line_total where horizon is not null
),
quarter_goal as (
    select period as closes_in, sum(goal_amount) as goal_amount
    from funnel.goal
    where metric = 'revenue' and not is_part and goal_amount is not null
    group by period
)
select
    line.looked_on,
    line.closes_in,
    line.horizon,
    coalesce(open_then, 0)::decimal(38,2) as open_pipeline_then,
    coalesce(deals_then, 0) as deals_then,
    (goal_amount - coalesce(booked_then, 0))::decimal(38,2) as goal_left_then,
    case when goal_left_then > 0 then open_pipeline_then::double / goal_left_then::double end as coverage_then,
    coalesce(open_now, 0)::decimal(38,2) as open_pipeline_now,
    coalesce(deals_now, 0) as deals_now,
    (goal_amount - coalesce(booked_now, 0))::decimal(38,2) as goal_left_now,
    case when goal_left_now > 0 then open_pipeline_now::double / goal_left_now::double end as coverage_now,
    coalesce(unpriced, 0) as unpriced,
    version.currency as currency,
    version.playbook_version as playbook_version
from line
cross join playbook.version as version
left join line_total as total
    on total.looked_on = line.looked_on
    and coalesce(total.horizon, total.closes_in) = coalesce(line.closes_in, line.horizon)
left join quarter_goal on quarter_goal.closes_in = line.closes_in
