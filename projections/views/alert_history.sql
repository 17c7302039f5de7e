-- view:   alert_history
-- grain:  one row per event of an alert incident
-- key:    event_type, event_id
-- reads:  resolved.alert_opened, resolved.alert_acknowledged, resolved.alert_escalated, resolved.alert_resolved,
--         resolved.alert_retracted, resolved.alert_notified
-- says:   each step of an alert: when it opened, who took it, who was notified, and how it ended
-- columns:
--   event_type   the event that says it
--   event_id     its id
--   alert_id     the incident
--   happened_at  when it happened; of a retraction, when it became known
--   known_at     when Baton recorded it
--   step         opened, acknowledged, snoozed, escalated, resolved, retracted or notified
--   by_whom      who acknowledged it, or which receiver was notified
--   until_at     until when it is snoozed, or when a receiver is tried again
--   says         what it says in a sentence: the summary, the cause, the reason, or what the receiver answered
--   note         why it was acknowledged or snoozed
with
step as (
    select 'AlertOpened' as event_type, event_id, alert_id, occurred_at, recorded_at, 'opened' as step,
        null::varchar as by_whom, null::timestamptz as until_at, summary as says, null::varchar as note
    from resolved.alert_opened
    union all
    select 'AlertAcknowledged', event_id, alert_id, occurred_at, recorded_at,
        case when snoozed_until is null then 'acknowledged' else 'snoozed' end, acknowledged_by, snoozed_until, null, note
    from resolved.alert_acknowledged
    union all
    select 'AlertEscalated', event_id, alert_id, occurred_at, recorded_at, 'escalated', receivers, null, reason, null
    from resolved.alert_escalated
    union all
    select 'AlertResolved', event_id, alert_id, occurred_at, recorded_at, 'resolved', null, null, cause, null
    from resolved.alert_resolved
    union all
    select 'AlertRetracted', event_id, alert_id, occurred_at, recorded_at, 'retracted', null, null, reason, null
    from resolved.alert_retracted
    union all
    select 'AlertNotified', event_id, alert_id, occurred_at, recorded_at, 'notified', receiver, next_try_at,
        concat_ws(' ', step || ':', outcome, why), null
    from resolved.alert_notified
)
select
    event_type,
    event_id,
    alert_id,
    occurred_at as happened_at,
    recorded_at as known_at,
    step,
    by_whom,
    until_at,
    says,
    note
from step
