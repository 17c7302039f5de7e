-- evidence: lead_verdict
-- says: for each criterion the event that set its value, or was the last one needed (see qualification)
select lead_id, event_type, event_id from evidence.qualification
