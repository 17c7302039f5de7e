-- evidence: alert_history
-- says: the event itself
select event_type, event_id from evidence.alert
union all
select 'AlertNotified', event_id from resolved.alert_notified
