-- evidence: funnel_stage_slice
-- says: the event by which each pass entered the stage; where it skipped the stage, the next one it reached
with
pass as materialized (
    select * from funnel.lead_pass
),
entering_event as (
    select pass.lead_id, pass, position, event_type, event_id, entered_at
    from funnel.stage_entry as entry
    asof join pass on pass.lead_id = entry.lead_id and entry.begun_at >= pass.began_at
    where coalesce(begun_at <= ended_at, true)
),
entry as (
    select lead_id, pass, stage,
        min({'at': entered_at, 'event_id': event_id, 'event_type': event_type}) as first
    from playbook.stage as stage
    join entering_event on entering_event.position >= stage.position
    group by all
)
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(first.at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    stage, first.event_type as event_type, first.event_id as event_id
from entry
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
