-- view:   goal_cases
-- grain:  one row per company goal for revenue of a quarter or month, and step from the lead to the win
-- key:    goal_id, step
-- reads:  funnel.goal, funnel.lead_progress, playbook.version
-- says:   the counts that the goal's cascade and its gap are made of: what became of the leads before the period, and
--         of the leads that the period itself depends on
-- means:  Steps are those of lead_progress. The cohort is the leads first captured in the playbook's cohort time
--         before the period (before as-of, if the period has not begun), with what became of them by as-of. Its
--         lag is the median from a step to the first win, over the leads that won; the period shifted earlier by
--         the lag is the step's own window. Without a win there is no lag, and the window is the period. Followed
--         are the leads captured in the window of the first step. A deal is opened in time when it is opened as
--         soon after the acceptance as nine in ten of the cohort's, or when it is won all the same.
-- columns:
--   goal_id              the goal
--   step                 captured, qualified, accepted, opportunities or won
--   position             order of the step
--   cohort_starts_on     first day of the cohort
--   cohort_ends_on       last day of the cohort
--   cases                leads of the cohort that reached the step
--   booked               what the cohort's deals booked, in the goals' currency
--   lag_days             median days from the step to the win; null without a win
--   window_starts_on     first day of the step's window
--   window_ends_on       last day of the step's window
--   entered              leads that reached the step in its window, by as-of
--   followed             of the leads captured in the first step's window, how many reached the step
--   followed_booked      what their deals booked, in the goals' currency
--   in_time_within_days  how soon after the acceptance a deal counts as opened in time
--   in_time              leads of the cohort with a deal opened in time, or won
--   followed_in_time     followed leads with a deal opened in time, or won
with
progress as materialized (
    from funnel.lead_progress
),
lead_step as materialized (
    select lead_id, captured_at, won_at,
        unnest(['captured', 'qualified', 'accepted', 'opportunities', 'won']) as step,
        unnest([captured_at, qualified_at, accepted_at, opened_at, won_at]) as entered_at
    from progress
),
quarter_goal as (
    select goal_id, starts_on, ends_on, zone, cohort_until_at,
        cohort_until_at - to_microseconds(cohort_us) as cohort_from_at
    from funnel.goal
    cross join playbook.version
    cross join lateral (select least(day_begins(starts_on, zone), $as_of) as cohort_until_at)
    where metric = 'revenue' and scope = 'company' and contains(period, '-') and starts_on is not null
        and goal_amount is not null
),
cohort as (
    select goal_id, sum(booked) as booked,
        quantile_cont(epoch_us(opened_at) - epoch_us(accepted_at), 0.9) as in_time_us
    from quarter_goal
    join progress on captured_at >= cohort_from_at and captured_at < cohort_until_at
    group by goal_id
),
cohort_step as (
    select goal_id, step, count(entered_at) as cases,
        floor(quantile_cont(greatest(0, epoch_us(won_at) - epoch_us(entered_at)), 0.5)
            filter (where won_at is not null) / 86400000000 + 0.5)::integer as lag_days
    from quarter_goal
    join lead_step on captured_at >= cohort_from_at and captured_at < cohort_until_at
    group by goal_id, step
),
step_window as (
    select quarter_goal.*, position, steps.step, booked, in_time_us, coalesce(cases, 0) as cases, lag_days,
        starts_on - coalesce(lag_days, 0) as window_starts_on,
        ends_on - coalesce(lag_days, 0) as window_ends_on,
        day_begins(window_starts_on, zone) as from_at,
        day_begins(window_ends_on + 1, zone) as until_at,
        first_value(from_at) over steps_of_goal as captured_from_at,
        first_value(until_at) over steps_of_goal as captured_until_at
    from quarter_goal
    cross join (
        values (1, 'captured'), (2, 'qualified'), (3, 'accepted'), (4, 'opportunities'), (5, 'won')
    ) as steps(position, step)
    left join cohort_step on cohort_step.goal_id = quarter_goal.goal_id and cohort_step.step = steps.step
    left join cohort on cohort.goal_id = quarter_goal.goal_id
    window steps_of_goal as (partition by quarter_goal.goal_id order by position)
),
step_count as (
    select goal_id, step,
        count(*) filter (where entered_at >= from_at and entered_at < until_at) as entered,
        count(entered_at) filter (where captured_at >= captured_from_at and captured_at < captured_until_at)
            as followed
    from step_window
    join lead_step using (step)
    group by goal_id, step
),
deal_count as (
    select goal_id,
        sum(deal_lead.booked) filter (where is_followed) as followed_booked,
        count(*) filter (where is_cohort and is_in_time) as in_time,
        count(*) filter (where is_followed and is_in_time) as followed_in_time
    from (
        select goal_id, progress.booked,
            captured_at >= cohort_from_at and captured_at < cohort_until_at as is_cohort,
            captured_at >= captured_from_at and captured_at < captured_until_at as is_followed,
            won_at is not null or epoch_us(opened_at) - epoch_us(accepted_at) <= in_time_us as is_in_time
        from step_window
        join progress on opened_at is not null
        where step = 'captured'
    ) as deal_lead
    group by goal_id
)
select
    goal_id,
    step,
    position,
    (cohort_from_at at time zone zone)::date as cohort_starts_on,
    ((cohort_until_at - interval 1 microsecond) at time zone zone)::date as cohort_ends_on,
    cases,
    coalesce(booked, 0)::decimal(38,2) as booked,
    lag_days,
    window_starts_on,
    window_ends_on,
    coalesce(entered, 0) as entered,
    coalesce(followed, 0) as followed,
    coalesce(followed_booked, 0)::decimal(38,2) as followed_booked,
    in_time_us / 86400000000 as in_time_within_days,
    coalesce(in_time, 0) as in_time,
    coalesce(followed_in_time, 0) as followed_in_time
from step_window
left join step_count using (goal_id, step)
left join deal_count using (goal_id)
