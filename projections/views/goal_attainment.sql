-- view:   goal_attainment
-- grain:  one row per goal
-- key:    period, owner_team, metric
-- reads:  funnel.goal, funnel.opportunity_amount, funnel.account_retention, playbook.version
-- says:   how much of each goal is reached, and whether that is enough for the days that have passed
-- means:  revenue is what was booked by deals whose last outcome is won, and by credits, in the period. pipeline is what the
--         deals opened in the period are worth as known now, whatever became of them. retained_revenue is what is
--         kept of the yearly revenue that companies had when the period began: a company keeps no more than it
--         began with, so growth and new customers make up for nothing (the numerator of gross retention). Days
--         are cut in the playbook's zone. Expected by now is the goal's share of the full days that have passed; of
--         retained revenue all is expected from the first day on, because it is kept and not built up. An unknown
--         metric, and a period without days, has no actual.
-- columns:
--   goal_id           the goal
--   period            a year or a quarter
--   owner_team        the team that owns the line
--   metric            revenue, pipeline or retained_revenue
--   goal_amount       the goal, in the playbook's currency
--   actual            what is reached of it by as-of
--   n                 deals, or companies, in that sum
--   unpriced          deals, or companies, with an amount that is missing or has no rate: actual leaves it out
--   attained_share    actual / goal
--   elapsed_share     full days of the period that have passed at as-of / days of the period
--   expected_by_now   the part of the goal that should be reached by now
--   pace              actual / expected by now
--   gap               goal - actual
--   currency          the playbook's currency
--   playbook_version  the playbook whose goals, rates and zone these are
with
goal as (
    select goal.*, version.currency as goals_currency, version.playbook_version,
        day_begins(starts_on, zone) as begins_at,
        day_begins((ends_on + 1)::date, zone) as ends_at,
        ends_on - starts_on + 1 as days,
        greatest(0, least(days, ($as_of at time zone zone)::date - starts_on)) as days_passed
    from funnel.goal as goal
    cross join playbook.version as version
),
deal as materialized (
    select opened_at, closed_at, status, amount, booked from funnel.opportunity_amount
),
-- What counts towards a goal, one row each; null for an amount that is missing or has no rate.
counted_amount as (
    select goal_id, booked as amount
    from goal
    join deal on closed_at >= begins_at and closed_at < ends_at
    where metric = 'revenue' and status in ('won', 'credit')
    union all
    select goal_id, deal.amount
    from goal
    join deal on opened_at >= begins_at and opened_at < ends_at
    where metric = 'pipeline'
    union all
    select goal_id, unnest(case
        when opening_arr > 0 and is_unpriced then [least(opening_arr, closing_arr), null]
        when opening_arr > 0 then [least(opening_arr, closing_arr)]
        when is_unpriced then [null]
    end)
    from goal
    join funnel.account_retention using (period)
    where metric = 'retained_revenue' and begins_at <= $as_of
),
goal_total as (
    select goal_id, sum(amount) as amount, count(amount) as n, count(*) - count(amount) as unpriced
    from counted_amount
    group by goal_id
),
measured_goal as (
    select goal.*,
        case when metric in ('revenue', 'pipeline', 'retained_revenue') and starts_on is not null
             then coalesce(goal_total.amount, 0)::decimal(38,2)
        end as actual,
        coalesce(goal_total.n, 0) as n,
        coalesce(goal_total.unpriced, 0) as unpriced,
        case when metric = 'retained_revenue' and begins_at <= $as_of then goal_amount
             else portion(goal_amount, days_passed, days)
        end as expected_by_now
    from goal
    left join goal_total using (goal_id)
)
select
    goal_id,
    period,
    owner_team,
    metric,
    goal_amount,
    actual,
    n,
    unpriced,
    actual::double / nullif(goal_amount, 0)::double as attained_share,
    days_passed / days as elapsed_share,
    expected_by_now,
    actual::double / nullif(expected_by_now, 0)::double as pace,
    goal_amount - actual as gap,
    goals_currency as currency,
    playbook_version
from measured_goal
