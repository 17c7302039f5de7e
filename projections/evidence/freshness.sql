-- evidence: freshness
-- says: every event of the source and type that has happened and was recorded by as-of
select source, event_type, event_id from resolved.event where recorded_at <= $as_of
