-- evidence: buying_session
-- says: the first touch of the session
select opportunity_id, session_id, event_type, session_id as event_id from funnel.buying_session
