-- evidence: goal_cases
-- says: the event by which each lead reached the step, or to a later one if it skipped it: leads of the cohort, leads
--         that came to the step in its window, and leads captured in the window of the first step
with
step_event as (
    select lead_id, 1 as position, occurred_at, 'LeadCaptured' as event_type, event_id from resolved.lead_captured
    union all
    select lead_id, 2, qualified_at,
        case decided.kind when 'fit' then 'LeadProfiled' when 'intent' then 'TouchRecorded'
            else 'BuyingGroupMemberIdentified' end,
        decided.event_id
    from (
        select lead_id, qualified_at, list_max([
            {'at': met.decided_at, 'event_id': met.event_id, 'kind': met.kind}
            for met in criteria if met.is_required and met.is_met]) as decided
        from funnel.qualification
        where qualified_at <= $as_of
    )
    union all
    select lead_id, 3, occurred_at, 'HandoffAccepted', event_id from resolved.handoff_accepted
    union all
    select deal.lead_id, 4, occurred_at, event_type, event_id
    from funnel.deal
    join funnel.deal_event using (opportunity_id)
    where event_type = 'OpportunityOpened'
    union all
    select win.lead_id, 5, won_at, event_type, event_id
    from funnel.win
    join evidence.win using (opportunity_id)
),
entry as (
    select lead_id, steps.position,
        min({'at': occurred_at, 'event_id': event_id, 'event_type': event_type}) as first
    from range(1, 6) as steps(position)
    join step_event on step_event.position >= steps.position and (steps.position > 1 or step_event.position = 1)
    where lead_id is not null
    group by all
),
captured as (
    select lead_id, first.at as captured_at from entry where position = 1
),
step_window as (
    select cases.goal_id, step, position, cohort_until_at,
        cohort_until_at - to_microseconds(cohort_us) as cohort_from_at,
        day_begins(window_starts_on, zone) as from_at,
        day_begins(window_ends_on + 1, zone) as until_at,
        first_value(from_at) over steps_of_goal as captured_from_at,
        first_value(until_at) over steps_of_goal as captured_until_at
    from funnel.goal_cases as cases
    join funnel.goal as goal using (goal_id)
    cross join playbook.version
    cross join lateral (select least(day_begins(starts_on, zone), $as_of) as cohort_until_at)
    window steps_of_goal as (partition by cases.goal_id order by position)
)
select goal_id, step, first.event_type as event_type, first.event_id as event_id
from step_window
join entry using (position)
left join captured using (lead_id)
where entry.first.at >= from_at and entry.first.at < until_at
    or captured_at >= cohort_from_at and captured_at < cohort_until_at
    or captured_at >= captured_from_at and captured_at < captured_until_at
