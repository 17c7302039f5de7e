-- evidence: funnel_stage
-- says: the event by which each lead entered the stage; where it skipped the stage, the next one it reached
with
entering_event as (
    select lead_id, position, occurred_at, event_type, event_id
    from resolved.event
    join playbook.stage on entered_by = event_type
    where lead_id is not null and (event_type <> 'TouchRecorded' or event_id in (
        select event_id from resolved.touch_recorded where is_inbound and not is_automated))
),
entry as (
    select lead_id, stage,
        min({'at': occurred_at, 'event_id': event_id, 'event_type': event_type}) as first
    from playbook.stage as stage
    join entering_event on entering_event.position >= stage.position
    group by all
)
select stage, window_of(first.at at time zone zone, window_unit, week_begins) as window_start,
    first.event_type as event_type, first.event_id as event_id
from entry
cross join playbook.version
