-- evidence: freshness
-- says: every event of the source and type
select source, event_type, event_id from facts.event
