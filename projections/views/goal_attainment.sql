-- view:   goal_attainment
-- grain:  one row per goal
-- key:    period, owner_team, metric, scope
-- reads:  funnel.goal, funnel.opportunity_amount, resolved.opportunity_won, funnel.account_retention,
--         playbook.all_member, playbook.all_version, playbook.version
-- says:   how much of each goal is reached, and whether that is enough for the days that have passed
-- means:  revenue is what was booked by deals whose last outcome is won, and by credits, in the period. pipeline is what the
--         deals opened in the period are worth as known now, whatever became of them. Of a goal of a team only
--         deals count whose owner was in that team, by the playbook in force then: for revenue who won the deal, on
--         that day; for pipeline who opened it. retained_revenue is what is
--         kept of the yearly revenue that companies had when the period began: a company keeps no more than it
--         began with, so growth and new customers make up for nothing (the numerator of gross retention). Days
--         are cut in the playbook's zone. Expected by now is the goal's share of the full days that have passed; of
--         retained revenue all is expected from the first day on, because it is kept and not built up. An unknown
--         metric, a period without days, and a team's goal for retained revenue, has no actual.
-- columns:
--   goal_id           the goal
--   period            a year, quarter or month, or a fiscal year or quarter
--   owner_team        the team that owns the line
--   metric            revenue, pipeline or retained_revenue
--   scope             company: all that is sold counts; team: what the owner team itself brings
--   is_part           true when it is a part of another goal of its period and metric: sums leave it out
--   goal_amount       the goal, in the playbook's currency
--   actual            what is reached of it by as-of
--   n                 deals, or companies, in that sum
--   unpriced          deals, or companies, with an amount that is missing or has no rate: actual leaves it out
--   attained_share    actual / goal; null while the period has not begun
--   elapsed_share     full days of the period that have passed at as-of / days of the period
--   expected_by_now   the part of the goal that should be reached by now
--   pace              actual / expected by now
--   gap               goal - actual; null while the period has not begun: nothing is missing yet
--   currency          the playbook's currency
--   playbook_version  the playbook whose goals, rates and zone these are
with
goal as (
    select goal.*, version.currency as goals_currency, version.playbook_version,
        day_begins(starts_on, zone) as begins_at,
        day_begins((ends_on + 1)::date, zone) as ends_at,
        begins_at <= $as_of as has_begun,
        ends_on - starts_on + 1 as days,
        greatest(0, least(days, ($as_of at time zone zone)::date - starts_on)) as days_passed
    from funnel.goal as goal
    cross join playbook.version as version
),
deal as materialized (
    select opportunity_id, opened_at, closed_at, status, owner, exact_amount, exact_booked
    from funnel.opportunity_amount
),
winner as (
    select opportunity_id, max({'occurred_at': occurred_at, 'event_id': event_id, 'owner': owner}).owner as winner
    from resolved.opportunity_won
    where owner is not null
    group by opportunity_id
),
-- A deal counts when it is won and when it is opened; null for an amount that is missing or has no rate.
deal_money as (
    select 'revenue' as metric, closed_at as counted_at, coalesce(winner, owner) as owner, exact_booked as amount
    from deal
    left join winner using (opportunity_id)
    where status in ('won', 'credit')
    union all
    select 'pipeline', opened_at, owner, exact_amount from deal where opened_at is not null
),
team_money as (
    select metric, counted_at, amount, team
    from deal_money
    asof left join (
        select playbook_version, coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from
        from playbook.all_version
    ) as at_that_time on counted_at >= at_that_time.in_force_from
    cross join playbook.version as version
    left join playbook.all_member as member
        on member.owner = deal_money.owner
        and member.playbook_version = coalesce(at_that_time.playbook_version, version.playbook_version)
),
counted_amount as (
    select goal_id, team_money.amount
    from goal
    join team_money
        on team_money.metric = goal.metric and counted_at >= begins_at and counted_at < ends_at
        and (scope = 'company' or team = owner_team)
    union all
    select goal_id, unnest(case
        when exact_opening_arr > 0 and is_unpriced then [least(exact_opening_arr, exact_closing_arr), null]
        when exact_opening_arr > 0 then [least(exact_opening_arr, exact_closing_arr)]
        when is_unpriced then [null]
    end)
    from goal
    join funnel.account_retention using (period)
    where metric = 'retained_revenue' and scope = 'company' and begins_at <= $as_of
),
goal_total as (
    select goal_id, sum(amount) as amount, count(amount) as n, count(*) - count(amount) as unpriced
    from counted_amount
    group by goal_id
),
measured_goal as (
    select goal.*,
        case when metric in ('revenue', 'pipeline', 'retained_revenue') and starts_on is not null
                and not (metric = 'retained_revenue' and scope = 'team')
             then cents(coalesce(goal_total.amount, 0))
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
    scope,
    is_part,
    goal_amount,
    actual,
    n,
    unpriced,
    case when has_begun then actual::double / nullif(goal_amount, 0)::double end as attained_share,
    days_passed / days as elapsed_share,
    expected_by_now,
    actual::double / nullif(expected_by_now, 0)::double as pace,
    case when has_begun then goal_amount - actual end as gap,
    goals_currency as currency,
    playbook_version
from measured_goal
