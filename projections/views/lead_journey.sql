-- view:   lead_journey
-- grain:  one row per event of a lead
-- key:    lead_id, position
-- stored: lead_id
-- reads:  resolved.lead_event
-- says:   one lead's life in order of event time: every touch, handoff, attempt and deal of both teams
-- means:  Events of one instant come in the order of their meaning: captured, touched, profiled, offered, and so on to
--         won or lost. Of an event that is known by its day there are no minutes, before or after; a capture and an
--         opening come first on their day, everything else last.
-- columns:
--   lead_id                 the lead; of merged ones the one that survives, with the events of all of them
--   position                place in its life, from 1
--   occurred_at             when it happened; when only the day is known, the day's end or beginning
--   event_type              what happened
--   source                  the system that reported it
--   handoff_id              the handoff it belongs to, where the event says so
--   opportunity_id          the deal it belongs to, where the event says so
--   minutes_since_previous  wall-clock minutes since the event before; null when one of the two is known by its day
--   recorded_late_minutes   minutes from the event to Baton knowing it; null when it is known by its day
--   is_day_only             true when the source knows the day and no time
--   event_id                the event itself
with
ranked_event as (
    select event.*,
        -- What is not listed has no order among others of its instant but its name.
        coalesce(list_position([
            'LeadCaptured', 'TouchRecorded', 'LeadProfiled', 'BuyingGroupMemberIdentified', 'HandoffOffered',
            'HandoffReassigned', 'HandoffAccepted', 'HandoffReturned', 'FeedbackAcknowledged', 'ContactAttempted',
            'BuyerReached', 'OpportunityOpened', 'OpportunityReopened', 'OpportunityRevised',
            'OpportunityStageEntered', 'CallHeld', 'PromiseMade', 'OpportunityWon', 'OpportunityLost'
        ], event_type), 99) as rank
    from resolved.lead_event as event
    where lead_id is not null
)
select
    lead_id,
    row_number() over journey as position,
    occurred_at,
    event_type,
    source,
    handoff_id,
    opportunity_id,
    case when not is_day_only and not lag(is_day_only) over journey
        then (epoch_us(occurred_at) - epoch_us(lag(occurred_at) over journey)) / 60000000.0::double
    end as minutes_since_previous,
    case when not is_day_only
        then (epoch_us(recorded_at) - epoch_us(occurred_at)) / 60000000.0::double
    end as recorded_late_minutes,
    is_day_only,
    event_id
from ranked_event
window journey as (partition by lead_id order by occurred_at, rank, event_type, event_id)
