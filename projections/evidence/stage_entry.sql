-- evidence: stage_entry
-- says: the event itself
select event_type, event_id from funnel.stage_entry
