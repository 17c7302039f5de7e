-- evidence: decision
-- says: what was recorded about it
select decision_id, 'DecisionRecorded' as event_type, event_id from resolved.decision_recorded
