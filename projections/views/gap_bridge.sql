-- view:   gap_bridge
-- grain:  one row per company goal for revenue of a quarter or month, and cause
-- key:    goal_id, cause
-- reads:  funnel.gap_factor, funnel.goal_attainment, playbook.cascade_owner, playbook.version
-- says:   where the gap to the revenue goal comes from, in money; the causes add up to the gap, to the cent
-- means:  Causes volume to deal_size are the factors of the goal, see gap_factor: the amount is the effect of the
--         factor. Retention is the goal for retained revenue of the same period less what is retained; goal and
--         gap then hold both. Unexplained is the rest: deals that name no lead, deals won in the period from
--         other leads, and wins of these leads in another period. Without a booking in the cohort there is no
--         plan, and all but retention is unexplained. A positive amount is missing, a negative one was gained.
--         While the period runs, what is still to come is missing too.
-- columns:
--   goal_id           the revenue goal
--   period            the quarter or month
--   cause             volume, qualification, acceptance, speed, win_rate, deal_size, retention or unexplained
--   position          order of the causes, along the funnel
--   owner_team        the team that owns the cause; null for what is unexplained
--   amount            the part of the gap that comes from it
--   plan              what was planned: leads, a share, or money for deal size and retention
--   actual            what it is now; null where there are no cases
--   gap               goal - actual, retained revenue included
--   n                 leads, deals or companies that the actual figure rests on
--   is_enough         true when plan and actual both rest on as many as the playbook asks for
--   says              the same in a sentence
--   currency          currency of the money
--   playbook_version  the playbook whose goals, owners and cohort these are
with
attained as materialized (
    select goal_id, period, metric, is_part, goal_amount, actual, goal_amount - actual as gap, n, currency,
        playbook_version
    from funnel.goal_attainment
),
retained as (
    select period, sum(goal_amount) as goal_amount, sum(actual) as actual, sum(gap) as gap, sum(n)::bigint as companies
    from attained
    where metric = 'retained_revenue' and not is_part and gap is not null
    group by period
),
goal as materialized (
    select goal_id, period, attained.gap + coalesce(retained.gap, 0) as gap, n as deals, currency, playbook_version,
        retained.goal_amount as retained_goal, retained.actual as retained_actual, retained.gap as retained_gap,
        coalesce(companies, 0) as companies
    from attained
    left join retained using (period)
    where metric = 'revenue'
),
factor as materialized (
    from funnel.gap_factor
),
explained as (
    select goal_id, position, factor as cause, step, coalesce(effect, 0)::decimal(38,2) as amount, plan, actual, n,
        least(cohort_n, n) as least_n
    from factor
    union all by name
    select goal_id, 7 as position, 'retention' as cause, 'retained' as step,
        coalesce(retained_gap, 0)::decimal(38,2) as amount, retained_goal::double as plan,
        retained_actual::double as actual, companies as n, companies as least_n
    from goal
    semi join factor using (goal_id)
),
cause as (
    from explained
    union all by name
    select goal_id, 8 as position, 'unexplained' as cause, gap - sum(amount) as amount, deals as n, deals as least_n
    from goal
    join explained using (goal_id)
    group by goal_id, gap, deals
),
described as (
    select *,
        case cause
            when 'volume' then '{:,.0f} leads came for the period; the goal needs {:,.0f}.'
            when 'qualification' then '{:.1f} % of the leads are qualified; {:.1f} % were before.'
            when 'acceptance' then '{:.1f} % of the qualified were accepted; {:.1f} % were before.'
            when 'speed' then '{:.1f} % of the accepted became deals in time; {:.1f} % did before.'
            when 'win_rate' then '{:.1f} % of these deals were won; {:.1f} % were before.'
            when 'deal_size' then 'A won deal books {:,.2f} on average; before it was {:,.2f}.'
            when 'retention' then '{:,.2f} of yearly revenue was kept; the goal is {:,.2f}.'
        end as sentence,
        case when cause in ('qualification', 'acceptance', 'speed', 'win_rate') then 100 else 1 end as scale
    from cause
)
select
    goal_id,
    period,
    cause,
    position,
    owner_team,
    amount::decimal(38,2) as amount,
    plan,
    actual,
    gap,
    n,
    least_n >= minimum_n as is_enough,
    case
        when cause = 'unexplained' and not bool_or(plan is not null and position < 7) over (partition by goal_id)
            then 'Nothing was booked from the leads before the period, so no plan says what to expect.'
        when cause = 'unexplained' then 'Deals of other leads or of none, and wins in another period.'
        when cause = 'retention' and plan is null then 'There is no goal for retained revenue.'
        when plan is null then 'There is no plan to compare with.'
        when actual is null then 'There are no cases yet: as planned.'
        else format(sentence, scale * actual, scale * plan)
    end as says,
    goal.currency,
    goal.playbook_version
from described
join goal using (goal_id)
cross join playbook.version as version
left join playbook.cascade_owner as owner using (step)
