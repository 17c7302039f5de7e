-- view:   goal_cascade
-- grain:  one row per company goal for revenue of a quarter or month, and step from the revenue back to the lead
-- key:    goal_id, step
-- reads:  funnel.goal_cases, funnel.goal_attainment, playbook.cascade_owner, playbook.version
-- says:   what each step of the funnel must bring for the revenue goal to be reached, when, and what is missing
-- means:  The rates are those of the cohort: leads captured in the playbook's cohort time before the period. A step
--         needs goal x leads at the step / booked, so that the rates and the average deal give the goal back to the
--         cent. What closes in a period begins earlier: each step is counted in the period shifted earlier by the
--         median days from the step to the win. Pace compares with the share of the step's own window that has
--         passed, in full days. Without bookings in the cohort no requirement can be computed. Deals that name no
--         lead are in the revenue and in no other step.
-- columns:
--   goal_id           the goal
--   period            the quarter or month
--   step              revenue, won, opportunities, accepted, qualified or captured
--   position          order, from the revenue back to the lead
--   owner_team        the team that owns the step
--   required          what the step must bring: leads, or money for revenue; null without bookings in the cohort
--   actual            what it brought in its window: leads, or money for revenue
--   gap               required - actual
--   gap_amount        the gap in money: goal - actual x average deal x the rates to it
--   pace              actual / the part of the requirement that is due by now
--   rate_to_next      share of the cohort's leads at this step that reach the next; null for won and revenue
--   amount_each       what one case of this step books on average in the cohort; null for revenue
--   n                 leads of the cohort at this step; for revenue, those that won
--   is_enough         true when there are as many as the playbook asks for, and a win among them
--   lag_days          median days from this step to the win
--   window_starts_on  first day in which the step serves the period
--   window_ends_on    last day in which the step serves the period
--   cohort_starts_on  first day of the cohort the rates come from
--   cohort_ends_on    last day of the cohort the rates come from
--   currency          currency of the money
--   playbook_version  the playbook whose goals, owners and cohort these are
with
step_cases as (
    select *, lead(cases) over (partition by goal_id order by position) as next_cases
    from funnel.goal_cases
),
-- The revenue is a line of its own, beside the deals that won it.
step_line as (
    select
        step_cases.* exclude (step, position, next_cases),
        case when is_revenue then 'revenue' else step end as step,
        case when is_revenue then 0 else 6 - position end as position,
        case when not is_revenue then next_cases end as next_cases
    from step_cases
    cross join (values (false), (true)) as lines(is_revenue)
    where step = 'won' or not is_revenue
),
required_step as (
    select step_line.*, goal.period, goal.goal_amount, goal.currency, goal.playbook_version, version.minimum_n,
        case when step_line.step = 'revenue' then goal.owner_team else owner.owner_team end as owner_team,
        case when step_line.step = 'revenue' then goal.actual else entered end::decimal(38,2) as actual,
        (window_ends_on - window_starts_on + 1)::integer as days,
        greatest(0, least(window_ends_on - window_starts_on + 1,
            ($as_of at time zone version.zone)::date - window_starts_on)) as days_passed,
        -- Ten digits, so that the product over the steps is right to the cent.
        case when booked = 0 then null
             when step_line.step = 'revenue' then goal_amount::decimal(38,10)
             else try((
                 (2 * (goal_amount * 100)::hugeint * cases * 10000000000::hugeint + (booked * 100)::hugeint)
                 // (2 * (booked * 100)::hugeint) * 0.0000000001::decimal(11,10))::decimal(38,10))
        end as required
    from step_line
    join funnel.goal_attainment as goal using (goal_id)
    cross join playbook.version as version
    left join playbook.cascade_owner as owner on owner.step = step_line.step
)
select
    goal_id,
    period,
    step,
    position,
    owner_team,
    required,
    actual,
    required - actual as gap,
    case when step = 'revenue' and booked > 0 then goal_amount - actual
         when booked > 0 then goal_amount - portion(booked, actual::bigint, cases)
    end as gap_amount,
    actual::double / nullif(required::double * days_passed / days, 0) as pace,
    next_cases / nullif(cases, 0) as rate_to_next,
    case when step <> 'revenue' then portion(booked, 1, cases) end as amount_each,
    cases as n,
    cases >= minimum_n and booked > 0 as is_enough,
    lag_days,
    window_starts_on,
    window_ends_on,
    cohort_starts_on,
    cohort_ends_on,
    currency,
    playbook_version
from required_step
