-- view:   lead_stage
-- grain:  one row per lead and stage of the funnel that it entered
-- key:    lead_id, stage
-- reads:  resolved.lead_captured, resolved.touch_recorded, resolved.handoff_offered, resolved.handoff_accepted,
--         resolved.handoff_returned, resolved.feedback_acknowledged, resolved.buyer_reached,
--         resolved.opportunity_opened, resolved.opportunity_won, resolved.opportunity_lost, playbook.stage,
--         playbook.team
-- says:   when each lead entered each stage, when it advanced, and how it stands there
-- means:  See funnel_stage, which counts these rows.
-- columns:
--   lead_id      the lead; of merged ones the one that survives
--   position     order of the stage
--   stage        the stage, by the playbook's name
--   buyer_step   where the buyer stands then, in the playbook's words
--   entered_at   when the lead entered the stage; a stage it skipped, when it entered the next one it reached
--   is_inferred  true when it skipped the stage
--   advanced_at  when it entered the next stage; null until then
--   outcome      advanced, lost, returned, elsewhere or still_there
with
lead_event as (
    select lead_id, 'LeadCaptured' as event_type, occurred_at from resolved.lead_captured
    union all
    select lead_id, 'TouchRecorded', occurred_at from resolved.touch_recorded
    where is_inbound and not is_automated
    union all
    select lead_id, 'HandoffOffered', occurred_at from resolved.handoff_offered
    union all
    select lead_id, 'HandoffAccepted', occurred_at from resolved.handoff_accepted
    union all
    select lead_id, 'HandoffReturned', occurred_at from resolved.handoff_returned
    union all
    select lead_id, 'LeadDisqualified', occurred_at from resolved.feedback_acknowledged
    where disposition = 'disqualify'
    union all
    select lead_id, 'BuyerReached', occurred_at from resolved.buyer_reached
    union all
    select lead_id, 'OpportunityOpened', occurred_at from resolved.opportunity_opened
    union all
    select lead_id, 'OpportunityWon', occurred_at from resolved.opportunity_won
    union all
    select lead_id, 'OpportunityLost', occurred_at from resolved.opportunity_lost
),
lead_event_type as materialized (
    select lead_id, event_type, min(occurred_at) as first_at, max(occurred_at) as last_at
    from lead_event
    where lead_id is not null
    group by lead_id, event_type
),
-- Of a lead that has not advanced, the latest event of one of these kinds decides.
latest as (
    select
        lead_id,
        max(last_at) filter (where event_type in ('OpportunityLost', 'LeadDisqualified')) as lost_at,
        max(last_at) filter (where event_type = 'HandoffReturned') as returned_at,
        max(last_at) filter (
            where event_type in ('HandoffOffered', 'HandoffAccepted', 'OpportunityOpened')) as taken_up_at
    from lead_event_type
    group by lead_id
),
-- The team of a lead's latest offer is none of the playbook's.
offered_elsewhere as (
    select lead_id
    from resolved.handoff_offered
    group by lead_id
    having max({'at': occurred_at, 'event_id': event_id, 'to_team': to_team}).to_team
        not in (select team from playbook.team)
),
-- A skipped stage was entered no later than the next one that was not.
stage_of_lead as (
    select lead_id, position, stage, buyer_step, first_at,
        min(first_at) over (
            partition by lead_id order by position rows between current row and unbounded following
        ) as entered_at
    from latest
    cross join (select *, entered_by as event_type from playbook.stage)
    left join lead_event_type using (lead_id, event_type)
),
advance as (
    select *,
        lead(entered_at) over (partition by lead_id order by position) as advanced_at,
        position = max(position) over (partition by lead_id) as is_last_stage
    from stage_of_lead
)
select
    lead_id,
    position,
    stage,
    buyer_step,
    entered_at,
    first_at is null or first_at > entered_at as is_inferred,
    advanced_at,
    case
        when advanced_at is not null then 'advanced'
        when is_last_stage then 'still_there'
        when lost_at >= greatest(lost_at, returned_at, taken_up_at) then 'lost'
        when returned_at >= greatest(lost_at, returned_at, taken_up_at) then 'returned'
        when offered_elsewhere.lead_id is not null then 'elsewhere'
        else 'still_there'
    end as outcome
from advance
left join latest using (lead_id)
left join offered_elsewhere using (lead_id)
where entered_at is not null
