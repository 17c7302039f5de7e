-- view:   goal_cases
-- grain:  one row per revenue goal of a quarter and step from the lead to the win
-- key:    goal_id, step
-- reads:  funnel.goal, funnel.opportunity_amount, funnel.lead_verdict, funnel.lead_identity,
--         facts.lead_captured, facts.handoff_accepted, playbook.version
-- says:   the counts that the goal's cascade and its gap are made of: what became of the leads before the
--         period, and of the leads that the period itself lives on
-- means:  A lead that reached a step has reached every earlier one, no later than that. Merged leads are one.
--         The cohort are the leads
--         first captured in the playbook's cohort time before the period (before as-of, if the period has not
--         begun), with what became of them by as-of. Its lag is the median from a step to the first win, over
--         the leads that won; the period shifted earlier by the lag is the step's own window. Without a win
--         there is no lag, and the window is the period. Followed are the leads captured in the window of the
--         first step. A deal is opened in time when it is opened as soon after the acceptance as nine in ten of
--         the cohort's, or when it is won all the same.
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
--   entered              leads that came to the step in its window, by as-of
--   followed             of the leads captured in the first step's window, how many reached the step
--   followed_booked      what their deals booked, in the goals' currency
--   in_time_within_days  how soon after the acceptance a deal counts as opened in time
--   in_time              leads of the cohort with a deal opened in time, or won
--   followed_in_time     followed leads with a deal opened in time, or won
with
quarter as (
    select goal_id, starts_on, ends_on, zone, cohort_us,
        least(day_begins(starts_on, zone), $as_of) as cohort_until_at
    from funnel.goal
    cross join playbook.version
    where metric = 'revenue' and period like '%-Q%' and starts_on is not null and goal_amount is not null
),
asked as (
    select *, cohort_until_at - to_microseconds(cohort_us) as cohort_from_at from quarter
),
told as (
    select lead_id, occurred_at as captured_at from facts.lead_captured where occurred_at <= $as_of
    union all by name
    select lead_id, occurred_at as accepted_at from facts.handoff_accepted where occurred_at <= $as_of
    union all by name
    select lead_id, qualified_at from funnel.lead_verdict where is_qualified and qualified_at <= $as_of
    union all by name
    select lead_id, opened_at, case when status = 'won' then closed_at end as won_at, booked
    from funnel.opportunity_amount where lead_id is not null
),
lived as materialized (
    select coalesce(surviving_lead_id, told.lead_id) as lead_id,
        min(captured_at) as captured_at,
        least(min(qualified_at), min(accepted_at), min(opened_at), min(won_at)) as qualified_at,
        least(min(accepted_at), min(opened_at), min(won_at)) as accepted_at,
        least(min(opened_at), min(won_at)) as opened_at,
        min(won_at) as won_at,
        coalesce(sum(booked), 0) as booked
    from told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    group by all
),
entry as (
    select lead_id, captured_at, won_at,
        unnest(['captured', 'qualified', 'accepted', 'opportunities', 'won']) as step,
        unnest([captured_at, qualified_at, accepted_at, opened_at, won_at]) as entered_at
    from lived
),
cohort as (
    select goal_id, sum(booked) as booked,
        quantile_cont(epoch_us(opened_at) - epoch_us(accepted_at), 0.9) as in_time_us
    from asked
    join lived on captured_at >= cohort_from_at and captured_at < cohort_until_at
    group by goal_id
),
reached as (
    select goal_id, step, count(entered_at) as cases,
        floor(quantile_cont(greatest(0, epoch_us(won_at) - epoch_us(entered_at)), 0.5)
            filter (where won_at is not null) / 86400000000 + 0.5)::integer as lag_days
    from asked
    join entry on captured_at >= cohort_from_at and captured_at < cohort_until_at
    group by goal_id, step
),
shifted as (
    select asked.goal_id, cohort_from_at, cohort_until_at, zone, position, steps.step, booked, in_time_us, lag_days,
        coalesce(cases, 0) as cases,
        starts_on - coalesce(lag_days, 0) as window_starts_on,
        ends_on - coalesce(lag_days, 0) as window_ends_on,
        day_begins(window_starts_on, zone) as from_at,
        day_begins(window_ends_on + 1, zone) as until_at
    from asked
    cross join (
        select unnest(range(1, 6)) as position,
            unnest(['captured', 'qualified', 'accepted', 'opportunities', 'won']) as step
    ) as steps
    left join reached on reached.goal_id = asked.goal_id and reached.step = steps.step
    left join cohort on cohort.goal_id = asked.goal_id
),
came as (
    select goal_id, shifted.step, count(*) as entered
    from shifted
    join entry on entry.step = shifted.step and entered_at >= from_at and entered_at < until_at
    group by all
),
followed as (
    select goal_id, entry.step, count(entered_at) as followed
    from shifted
    join entry on captured_at >= from_at and captured_at < until_at
    where shifted.step = 'captured'
    group by all
),
followed_deals as (
    select goal_id, sum(lived.booked) as booked,
        count(*) filter (where won_at is not null or epoch_us(opened_at) - epoch_us(accepted_at) <= in_time_us)
            as in_time
    from shifted
    join lived on captured_at >= from_at and captured_at < until_at
    where shifted.step = 'captured' and opened_at is not null
    group by goal_id
),
cohort_deals as (
    select goal_id,
        count(*) filter (where won_at is not null or epoch_us(opened_at) - epoch_us(accepted_at) <= in_time_us)
            as in_time
    from shifted
    join lived on captured_at >= cohort_from_at and captured_at < cohort_until_at
    where shifted.step = 'captured' and opened_at is not null
    group by goal_id
)
select
    goal_id,
    step,
    position,
    (cohort_from_at at time zone zone)::date as cohort_starts_on,
    ((cohort_until_at - interval 1 microsecond) at time zone zone)::date as cohort_ends_on,
    cases,
    coalesce(shifted.booked, 0)::decimal(38,2) as booked,
    lag_days,
    window_starts_on,
    window_ends_on,
    coalesce(entered, 0) as entered,
    coalesce(followed, 0) as followed,
    coalesce(followed_deals.booked, 0)::decimal(38,2) as followed_booked,
    in_time_us / 86400000000 as in_time_within_days,
    coalesce(cohort_deals.in_time, 0) as in_time,
    coalesce(followed_deals.in_time, 0) as followed_in_time
from shifted
left join came using (goal_id, step)
left join followed using (goal_id, step)
left join followed_deals using (goal_id)
left join cohort_deals using (goal_id)
