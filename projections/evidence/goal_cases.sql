-- evidence: goal_cases
-- says: the event by which each lead came to the step, or to a later one if it skipped it: leads of the
--         cohort, leads that came to the step in its window, and leads captured in the window of the first
--         step
with
told as (
    select lead_id, 1 as position, occurred_at, event_type, event_id
    from facts.event where event_type = 'LeadCaptured'
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
    select lead_id, 3, occurred_at, event_type, event_id
    from facts.event where event_type = 'HandoffAccepted'
    union all
    select deal.lead_id, 4, occurred_at, event_type, event_id
    from funnel.opportunity_amount as deal
    join facts.event as opened using (opportunity_id)
    where event_type = 'OpportunityOpened'
    union all
    select deal.lead_id, 5, closed_at, event_type, event_id
    from funnel.opportunity_amount as deal
    join evidence.win using (opportunity_id)
    where status = 'won'
),
own as (
    select told.* replace (coalesce(surviving_lead_id, told.lead_id) as lead_id)
    from told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    where told.lead_id is not null and occurred_at <= $as_of
),
captured as (
    select lead_id, min(occurred_at) as captured_at from own where position = 1 group by lead_id
),
entry as (
    select lead_id, steps.position,
        min({'at': occurred_at, 'event_id': event_id, 'event_type': event_type}) as first
    from range(1, 6) as steps(position)
    join own on own.position >= steps.position and (steps.position > 1 or own.position = 1)
    group by all
),
cases as materialized (
    select goal_id, step, position, window_starts_on, window_ends_on from funnel.goal_cases
),
asked as (
    select cases.goal_id, cases.step, cases.position,
        least(day_begins(starts_on, zone), $as_of) as cohort_until_at,
        cohort_until_at - to_microseconds(cohort_us) as cohort_from_at,
        day_begins(cases.window_starts_on, zone) as from_at,
        day_begins(cases.window_ends_on + 1, zone) as until_at,
        day_begins(first.window_starts_on, zone) as captured_from_at,
        day_begins(first.window_ends_on + 1, zone) as captured_until_at
    from cases
    join cases as first on first.goal_id = cases.goal_id and first.step = 'captured'
    join funnel.goal as goal on goal.goal_id = cases.goal_id
    cross join playbook.version
)
select goal_id, step, entry.first.event_type as event_type, entry.first.event_id as event_id
from asked
join entry using (position)
left join captured using (lead_id)
where entry.first.at >= from_at and entry.first.at < until_at
    or captured_at >= cohort_from_at and captured_at < cohort_until_at
    or captured_at >= captured_from_at and captured_at < captured_until_at
