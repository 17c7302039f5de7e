-- evidence: handoff_event
-- says: the event itself
select event_type, event_id from funnel.handoff_event
