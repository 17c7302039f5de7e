-- view:   handoff_event
-- grain:  one row per event of a handoff, whether or not the handoff was ever offered
-- key:    event_type, event_id
-- stored: handoff_id
-- reads:  resolved.handoff_offered, resolved.handoff_reassigned, resolved.handoff_paused, resolved.handoff_resumed,
--         resolved.handoff_accepted, resolved.handoff_returned, resolved.feedback_acknowledged
-- says:   everything reported about a handoff, in the order in which it counts
-- means:  Events of one instant count in the order of their meaning: offered, reassigned, paused, resumed, accepted,
--         returned, acknowledged; only then by event id.
-- columns:
--   handoff_id           the handoff
--   event_type           what happened, by the name of the event
--   event_id             the event
--   occurred_at          when it happened
--   recorded_at          when Baton accepted it
--   place                what decides between two events: the instant, the meaning, the event id; later ones are greater
--   lead_id              the lead it names; of merged ones the one that survives
--   named_lead_id        the lead it names, merged or not
--   owner                whose the handoff is from then on: of an offer, an assignment or an acceptance; who gave it back
--   reason_code          why it was returned or paused
--   disposition          what the offering team will do about a return
--   account_id           of an offer: the lead's company
--   from_team            of an offer: the team that offered
--   to_team              of an offer: the team asked to answer
--   reason               of an offer: why
--   data_completeness    of an offer: share of the asked-for fields filled, 0 to 1
--   previous_handoff_id  of an offer: the returned handoff it recycles
with
reported as (
    select 'HandoffOffered' as event_type, 1 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, owner, account_id, from_team, to_team, reason, data_completeness, previous_handoff_id
    from resolved.handoff_offered
    union all by name
    select 'HandoffReassigned' as event_type, 2 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, to_owner as owner
    from resolved.handoff_reassigned
    union all by name
    select 'HandoffPaused' as event_type, 3 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, reason_code
    from resolved.handoff_paused
    union all by name
    select 'HandoffResumed' as event_type, 4 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id
    from resolved.handoff_resumed
    union all by name
    select 'HandoffAccepted' as event_type, 5 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, owner
    from resolved.handoff_accepted
    union all by name
    select 'HandoffReturned' as event_type, 6 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, owner, reason_code
    from resolved.handoff_returned
    union all by name
    select 'FeedbackAcknowledged' as event_type, 7 as rank, handoff_id, event_id, occurred_at, recorded_at, lead_id,
        named_lead_id, disposition
    from resolved.feedback_acknowledged
)
select
    handoff_id,
    event_type,
    event_id,
    occurred_at,
    recorded_at,
    {'occurred_at': occurred_at, 'rank': rank, 'event_id': event_id} as place,
    lead_id,
    named_lead_id,
    owner,
    reason_code,
    disposition,
    account_id,
    from_team,
    to_team,
    reason,
    data_completeness,
    previous_handoff_id
from reported
