-- view:   lead_journey
-- grain:  one row per event of a lead
-- key:    lead_id, position
-- reads:  resolved.event
-- says:   one lead's life in order of event time: every touch, handoff, attempt and deal of both teams
-- columns:
--   lead_id                 the lead; of merged ones the one that survives, with the events of all of them
--   position                place in its life, from 1
--   occurred_at             when it happened
--   event_type              what happened
--   source                  the system that reported it
--   handoff_id              the handoff it belongs to, where the event says so
--   opportunity_id          the deal it belongs to, where the event says so
--   minutes_since_previous  wall-clock minutes since the event before
--   recorded_late_minutes   minutes from the event to Baton knowing it
--   event_id                the event itself
select
    lead_id,
    row_number() over journey as position,
    occurred_at,
    event_type,
    source,
    handoff_id,
    opportunity_id,
    (epoch_us(occurred_at) - epoch_us(lag(occurred_at) over journey)) / 60000000.0::double
        as minutes_since_previous,
    (epoch_us(recorded_at) - epoch_us(occurred_at)) / 60000000.0::double as recorded_late_minutes,
    event_id
from resolved.event
where lead_id is not null
window journey as (partition by lead_id order by occurred_at, event_type, event_id)
