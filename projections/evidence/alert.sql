-- evidence: alert
-- says: how it was opened, acknowledged, escalated, resolved or retracted
select alert_id, 'AlertOpened' as event_type, event_id from resolved.alert_opened
union all
select alert_id, 'AlertAcknowledged', event_id from resolved.alert_acknowledged
union all
select alert_id, 'AlertEscalated', event_id from resolved.alert_escalated
union all
select alert_id, 'AlertResolved', event_id from resolved.alert_resolved
union all
select alert_id, 'AlertRetracted', event_id from resolved.alert_retracted
