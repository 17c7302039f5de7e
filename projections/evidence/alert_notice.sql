-- evidence: alert_notice
-- says: each report of what became of it
select alert_id, receiver, step, 'AlertNotified' as event_type, event_id from resolved.alert_notified
