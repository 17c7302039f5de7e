-- view:   pipeline_coverage
-- grain:  one row per day looked on and quarter in which deals are to close: that day's, the next, and two out
-- key:    looked_on, closes_in
-- reads:  funnel.goal, facts.opportunity_opened, facts.opportunity_revised, facts.opportunity_won,
--         facts.opportunity_lost, playbook.rate, playbook.version
-- says:   whether the open deals are enough for what is left of each quarter's goal, as it looked then and as
--         it is known now
-- means:  Looked on are the first day of each month since the first deal, at its first instant, and the day
--         of as-of, at as-of itself. Then: what had happened by that instant and was recorded by it. Now:
--         what had happened by that instant, as recorded by as-of. The two differ by what came late, and by
--         nothing else. A deal is open when it was opened and last neither won nor lost; it lies in the
--         quarter of the closing day it was last given, so one without a day, or with a day outside these
--         quarters, is in no row. Goal left is the quarter's revenue goal, as it stands now, less what was
--         won in that quarter until the instant; below zero the goal is passed. Coverage is open pipeline /
--         goal left, and not weighted.
-- columns:
--   looked_on           the day
--   closes_in           the quarter the deals are to close in
--   horizon             current, next or two_out
--   open_pipeline_then  amounts of the open deals, as recorded then
--   deals_then          open deals, as recorded then
--   goal_left_then      goal less won, as recorded then; null without a goal
--   coverage_then       open pipeline / goal left, as recorded then; null when nothing is left
--   open_pipeline_now   amounts of the open deals, as known now
--   deals_now           open deals, as known now
--   goal_left_now       goal less won, as known now; null without a goal
--   coverage_now        open pipeline / goal left, as known now; null when nothing is left
--   unpriced            deals of the row, open or won, without an amount or a rate, as known now
--   currency            currency of the money
--   playbook_version    the playbook whose goals, rates and zone these are
with
told as (
    select 'opened' as kind, opportunity_id, occurred_at, recorded_at, event_id, amount, currency, closes_on
    from facts.opportunity_opened where occurred_at <= $as_of
    union all by name
    select 'revised' as kind, opportunity_id, occurred_at, recorded_at, event_id, amount, currency, closes_on
    from facts.opportunity_revised where occurred_at <= $as_of
    union all by name
    select 'won' as kind, opportunity_id, occurred_at, recorded_at, event_id, amount, currency
    from facts.opportunity_won where occurred_at <= $as_of
    union all by name
    select 'lost' as kind, opportunity_id, occurred_at, recorded_at, event_id
    from facts.opportunity_lost where occurred_at <= $as_of
),
span as (
    select zone, currency as goals_currency, playbook_version,
        ((select min(occurred_at) from told) at time zone zone)::date as first_on,
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
asked as (
    select looked_on, looked_at, zone, horizon,
        quarter_of(looked_on + to_months(3 * ahead)) as closes_in
    from look
    cross join (values (0, 'current'), (1, 'next'), (2, 'two_out')) as horizons(ahead, horizon)
),
seen as (
    select looked_on, looked_at, zone, told.*, recorded_at <= looked_at as is_then
    from look
    join told on occurred_at <= looked_at and recorded_at <= $as_of
),
known as (
    select looked_on, zone, opportunity_id, is_then_asked as is_then,
        bool_or(kind = 'opened') as is_opened,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'kind': kind, 'amount': amount,
             'currency': currency})
            filter (where amount is not null) as worth,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'kind': kind, 'closes_on': closes_on})
            filter (where closes_on is not null) as closing,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'kind': kind, 'amount': amount,
             'currency': currency})
            filter (where kind in ('won', 'lost')) as outcome
    from seen
    cross join (values (true), (false)) as knowledge(is_then_asked)
    where is_then or not is_then_asked
    group by all
),
deal as (
    select looked_on, is_then, coalesce(outcome.kind, 'open') as status,
        case when outcome is null then quarter_of(closing.closes_on)
             else quarter_of((outcome.occurred_at at time zone zone)::date)
        end as closes_in,
        converted(case when outcome is null then worth.amount else outcome.amount end, rate) as amount
    from known
    left join playbook.rate as rate
        on rate.currency = case when outcome is null then known.worth.currency else known.outcome.currency end
    where (outcome is null and is_opened) or outcome.kind = 'won'
),
summed as (
    select looked_on, closes_in,
        coalesce(sum(amount) filter (where is_then and status = 'open'), 0)::decimal(38,2) as open_then,
        count(*) filter (where is_then and status = 'open') as deals_then,
        coalesce(sum(amount) filter (where is_then and status = 'won'), 0)::decimal(38,2) as won_then,
        coalesce(sum(amount) filter (where not is_then and status = 'open'), 0)::decimal(38,2) as open_now,
        count(*) filter (where not is_then and status = 'open') as deals_now,
        coalesce(sum(amount) filter (where not is_then and status = 'won'), 0)::decimal(38,2) as won_now,
        count(*) filter (where not is_then and amount is null) as unpriced
    from deal
    group by all
),
due as (
    select period as closes_in, sum(goal_amount) as goal_amount
    from funnel.goal
    where metric = 'revenue' and goal_amount is not null
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
from asked
cross join span
left join summed using (looked_on, closes_in)
left join due using (closes_in)
