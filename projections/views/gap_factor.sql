-- view:   gap_factor
-- grain:  one row per company goal for revenue of a quarter or month, and factor of its plan
-- key:    goal_id, factor
-- reads:  funnel.goal, funnel.goal_cases
-- says:   plan and actual of each factor that the revenue goal is a product of, and its effect on the revenue
-- means:  The plan is the goal as a product: leads the goal needs x qualified share x accepted share x share opened
--         in time x share won x average deal, with the rates of the cascade's cohort. It is compared with the same
--         product of the leads captured in the window that serves the period. The effect is the Shapley value of the
--         factor: what it changes when it goes from plan to actual, averaged over every order in which the factors
--         could do so, so that no order favours a team. Speed is the share of accepted leads whose deal was opened
--         as soon as nine in ten of the cohort's, or was won all the same; win rate is over those. A share of no
--         leads is as planned: the factor that left none of them answers for it. Without a booking in the cohort
--         there is neither plan nor effect.
-- columns:
--   goal_id   the revenue goal
--   factor    volume, qualification, acceptance, speed, win_rate or deal_size
--   position  order of the factors, along the funnel
--   step      the step of the cascade whose team owns the factor
--   plan      what was planned: leads, a share, or money for deal size
--   actual    what it is now; null where there are no cases
--   n         leads or deals that the actual figure rests on
--   cohort_n  leads or deals of the cohort that the plan rests on
--   effect    revenue planned less revenue reached, as far as it comes from the factor (decimal)
with
step_count as (
    select goal_id,
        max(booked) as booked,
        max(followed_booked) as followed_booked,
        [max(cases) filter (where step = 'captured'), max(cases) filter (where step = 'qualified'),
         max(cases) filter (where step = 'accepted'), max(in_time), max(cases) filter (where step = 'won')] as cohort,
        [max(followed) filter (where step = 'captured'), max(followed) filter (where step = 'qualified'),
         max(followed) filter (where step = 'accepted'), max(followed_in_time),
         max(followed) filter (where step = 'won')] as followed
    from funnel.goal_cases
    group by goal_id
),
product as materialized (
    select goal_id, cohort, followed,
        case when booked > 0 then [
            goal_amount::double * cohort[1] / booked::double,
            cohort[2] / cohort[1],
            cohort[3] / cohort[2],
            cohort[4] / cohort[3],
            cohort[5] / cohort[4],
            booked::double / cohort[5]
        ] end as plan,
        [
            followed[1]::double,
            followed[2] / nullif(followed[1], 0),
            followed[3] / nullif(followed[2], 0),
            followed[4] / nullif(followed[3], 0),
            followed[5] / nullif(followed[4], 0),
            followed_booked::double / nullif(followed[5], 0)
        ] as actual
    from step_count
    join funnel.goal using (goal_id)
),
-- The revenue when some factors, the members of the coalition, are actual and the others are as planned.
coalition as (
    select goal_id, members,
        list_product([
            case when (members >> (i - 1)) & 1 = 1 then coalesce(actual[i], plan[i]) else plan[i] end
            for i in range(1, 7)
        ]) as revenue
    from product
    cross join range(64) as coalitions(members)
    where plan is not null
),
-- Weights are numbers of orders out of 720; a sum of decimals does not depend on the order of rows.
shapley as (
    select before.goal_id, position,
        round(sum(try_cast([120, 24, 12, 12, 24, 120][bit_count(before.members) + 1]
            * (before.revenue - after.revenue) as decimal(38,8)))::double / 720, 2) as effect
    from coalition as before
    cross join range(1, 7) as factors(position)
    join coalition as after
        on after.goal_id = before.goal_id and after.members = before.members + (1 << (position - 1))
    where (before.members >> (position - 1)) & 1 = 0
    group by all
)
select
    goal_id,
    factor,
    position,
    step,
    plan[position] as plan,
    actual[position] as actual,
    followed[greatest(1, position - 1)] as n,
    cohort[greatest(1, position - 1)] as cohort_n,
    try_cast(effect as decimal(38,2)) as effect
from product
cross join (
    values (1, 'volume', 'captured'), (2, 'qualification', 'qualified'), (3, 'acceptance', 'accepted'),
        (4, 'speed', 'opportunities'), (5, 'win_rate', 'won'), (6, 'deal_size', 'won')
) as factors(position, factor, step)
left join shapley using (goal_id, position)
