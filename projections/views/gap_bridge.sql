-- view:   gap_bridge
-- grain:  one row per revenue goal of a quarter and cause
-- key:    goal_id, cause
-- reads:  funnel.goal_cases, funnel.goal_attainment, playbook.cascade_owner, playbook.version
-- says:   where the gap to the revenue goal comes from, in money; the causes add up to the gap, to the cent
-- means:  The plan is the goal as a product: leads the goal needs x qualified share x accepted share x share
--         opened in time x share won x average deal, with the rates of the cascade's cohort. Against it
--         stands the same product of the leads captured in the window that serves the quarter. A cause is the
--         Shapley value of its factor: its effect, averaged over every order in which plan could turn into
--         actual, so that no order favours a team. Speed is the share of accepted leads whose deal was opened
--         as soon as nine in ten of the cohort's, or was won all the same; win rate is over those. A share of
--         no leads is as planned, for what left none of them answers for that. Retention is the goal for
--         retained revenue of the same quarter less what is retained; goal and gap then hold both.
--         Unexplained is the rest: deals that name no lead, deals won in the quarter from other leads, and
--         wins of these leads in another quarter. Without a booking in the cohort there is no plan, and all
--         but retention is unexplained. A positive amount is missing, a negative one was gained. While the
--         quarter runs, what is still to come is missing too.
-- columns:
--   goal_id           the revenue goal
--   period            the quarter
--   cause             volume, qualification, acceptance, speed, win_rate, deal_size, retention or unexplained
--   position          order of the causes, along the funnel
--   owner_team        the team that owns the cause; null for what is unexplained
--   amount            the part of the gap that comes from it
--   plan              what the plan holds: leads, a share, or money for deal size and retention
--   actual            what there is instead; null where there are no cases
--   gap               goal - actual, retained revenue included
--   n                 leads, deals or companies that the actual figure rests on
--   is_enough         true when plan and actual both rest on as many as the playbook asks for
--   says              the same in a sentence
--   currency          currency of the money
--   playbook_version  the playbook whose goals, owners and cohort these are
with
-- Each goal beside what is to be retained in its period.
goal as (
    select *,
        sum(gap) filter (where is_retention) over same_period as retained_gap,
        sum(goal_amount) filter (where is_retention) over same_period as retained_goal,
        sum(actual) filter (where is_retention) over same_period as retained_actual,
        (sum(n) filter (where is_retention) over same_period)::bigint as companies
    from (
        select *, metric = 'retained_revenue' and gap is not null as is_retention from funnel.goal_attainment
    )
    window same_period as (partition by period)
),
counted as (
    select goal_id,
        max(booked) as booked,
        max(followed_booked) as followed_booked,
        [max(cases) filter (where step = 'captured'), max(cases) filter (where step = 'qualified'),
         max(cases) filter (where step = 'accepted'), max(in_time), max(cases) filter (where step = 'won')] as cohort,
        [max(followed) filter (where step = 'captured'), max(followed) filter (where step = 'qualified'),
         max(followed) filter (where step = 'accepted'), max(followed_in_time),
         max(followed) filter (where step = 'won')] as period_leads
    from funnel.goal_cases
    group by goal_id
),
factor as (
    select counted.*, goal.period, goal.currency, goal.playbook_version, goal.n as deals,
        goal.gap + coalesce(retained_gap, 0) as gap, retained_gap, retained_goal, retained_actual, companies,
        booked > 0 as is_planned,
        [
            goal.goal_amount::double * cohort[1] / nullif(booked, 0)::double,
            cohort[2] / nullif(cohort[1], 0),
            cohort[3] / nullif(cohort[2], 0),
            cohort[4] / nullif(cohort[3], 0),
            cohort[5] / nullif(cohort[4], 0),
            booked::double / nullif(cohort[5], 0)
        ] as plan,
        [
            period_leads[1]::double,
            period_leads[2] / nullif(period_leads[1], 0),
            period_leads[3] / nullif(period_leads[2], 0),
            period_leads[4] / nullif(period_leads[3], 0),
            period_leads[5] / nullif(period_leads[4], 0),
            followed_booked::double / nullif(period_leads[5], 0)
        ] as actual
    from counted
    join goal using (goal_id)
),
-- Every coalition of factors that are actual already while the others are still as planned. A share of no
-- leads is as planned: the factor that left none of them answers for it.
coalition as (
    select goal_id, members,
        (case when members & 1 > 0 then coalesce(actual[1], plan[1]) else plan[1] end)
        * (case when members & 2 > 0 then coalesce(actual[2], plan[2]) else plan[2] end)
        * (case when members & 4 > 0 then coalesce(actual[3], plan[3]) else plan[3] end)
        * (case when members & 8 > 0 then coalesce(actual[4], plan[4]) else plan[4] end)
        * (case when members & 16 > 0 then coalesce(actual[5], plan[5]) else plan[5] end)
        * (case when members & 32 > 0 then coalesce(actual[6], plan[6]) else plan[6] end) as amount
    from factor
    cross join range(64) as coalitions(members)
    where is_planned
),
-- Weights are numbers of orders out of 720; a sum of decimals does not depend on the order of rows.
shapley as (
    select before.goal_id, position,
        round(sum(try_cast([120, 24, 12, 12, 24, 120][bit_count(before.members) + 1]
            * (before.amount - after.amount) as decimal(38,8)))::double / 720, 2) as amount
    from coalition as before
    cross join range(1, 7) as factors(position)
    join coalition as after
        on after.goal_id = before.goal_id and after.members = before.members + (1 << (position - 1))
    where (before.members >> (position - 1)) & 1 = 0
    group by all
),
explained as (
    select goal_id, causes.position, cause, owned_by, format,
        case when cause = 'retention' then coalesce(retained_gap, 0)
             else coalesce(try_cast(shapley.amount as decimal(38,2)), 0)
        end::decimal(38,2) as amount,
        case when cause = 'retention' then retained_goal::double when is_planned then plan[causes.position] end
            as plan,
        case when cause = 'retention' then retained_actual::double else actual[causes.position] end as actual,
        case when cause = 'retention' then coalesce(companies, 0)
             else period_leads[greatest(1, causes.position - 1)]
        end as n,
        case when cause = 'retention' then coalesce(companies, 0)
             else least(cohort[greatest(1, causes.position - 1)], n)
        end as least_n
    from factor
    cross join (
        values
            (1, 'volume', 'captured', '{:.0f} leads came for the quarter; the goal needs {:.0f}.'),
            (2, 'qualification', 'qualified', '{:.1f} % of the leads are qualified; {:.1f} % were before.'),
            (3, 'acceptance', 'accepted', '{:.1f} % of the qualified were accepted; {:.1f} % were before.'),
            (4, 'speed', 'opportunities', '{:.1f} % of the accepted became deals in time; {:.1f} % did before.'),
            (5, 'win_rate', 'won', '{:.1f} % of these deals were won; {:.1f} % were before.'),
            (6, 'deal_size', 'won', 'A won deal books {:.2f} on average; before it was {:.2f}.'),
            (7, 'retention', 'retained', '{:.2f} of yearly revenue was kept; the goal is {:.2f}.')
    ) as causes(position, cause, owned_by, format)
    left join shapley using (goal_id, position)
),
caused as (
    select explained.*, least_n >= minimum_n as is_enough
    from explained cross join playbook.version
    union all by name
    select goal_id, 8 as position, 'unexplained' as cause, gap - sum(amount) as amount, deals as n,
        deals >= minimum_n as is_enough
    from factor
    join explained using (goal_id)
    cross join playbook.version
    group by goal_id, gap, deals, minimum_n
)
select
    goal_id,
    period,
    cause,
    caused.position,
    owner.owner_team,
    amount::decimal(38,2) as amount,
    caused.plan,
    caused.actual,
    gap,
    n,
    is_enough,
    case
        when cause = 'unexplained' and not is_planned
            then 'Nothing was booked from the leads before the quarter, so no plan says what to expect.'
        when cause = 'unexplained' then 'Deals of other leads or of none, and wins in another quarter.'
        when cause = 'retention' and caused.plan is null then 'There is no goal for retained revenue.'
        when caused.plan is null then 'There is no plan to compare with.'
        when caused.actual is null then 'There are no cases yet: as planned.'
        when cause in ('qualification', 'acceptance', 'speed', 'win_rate')
            then format(caused.format, 100 * caused.actual, 100 * caused.plan)
        else format(caused.format, caused.actual, caused.plan)
    end as says,
    currency,
    playbook_version
from caused
join factor using (goal_id)
left join playbook.cascade_owner as owner on owner.step = caused.owned_by
