-- view:   alert
-- grain:  one row per alert incident: a rule of the playbook, what it is about, and the window
-- key:    alert_id
-- reads:  resolved.alert_opened, resolved.alert_acknowledged, resolved.alert_resolved, resolved.alert_retracted
-- says:   the alerts the playbook's rules have raised: about what, based on how many cases, and what became of them
-- means:  The earliest AlertOpened of an incident counts, and its earliest acknowledgement, resolution and
--         retraction; only snoozed_until is of the latest acknowledgement.
-- columns:
--   alert_id           the incident; it stays one however often it is reported
--   rule               the rule's name in the playbook
--   severity           info, warning or critical
--   subject_kind       what it is about: handoff_pair, handoff or source
--   subject            which one, as in marketing>sales_development
--   window_start_at    start of the window, for windowed rules
--   window_end_at      end of the window, for windowed rules
--   observed           the value that reached the threshold
--   threshold          the threshold
--   sample_size        how many cases the value is based on
--   state              opened, acknowledged, resolved, or retracted: a late event showed that it never held
--   opened_at          when the rule began to hold, in event time
--   acknowledged_at    when somebody first acknowledged it
--   acknowledged_by    who did
--   snoozed_until      until when it is snoozed, by the latest acknowledgement
--   resolved_at        when the rule no longer held
--   retracted_at       when a late event disproved it
--   retraction_reason  what disproved it
--   summary            one sentence to act on
with
opened as (
    select *
    from resolved.alert_opened
    qualify row_number() over (partition by alert_id order by occurred_at, event_id) = 1
),
acknowledgement as (
    select
        alert_id,
        min(occurred_at) as acknowledged_at,
        arg_min(acknowledged_by, {'occurred_at': occurred_at, 'event_id': event_id}) as acknowledged_by,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'until': snoozed_until}).until as snoozed_until
    from resolved.alert_acknowledged
    group by alert_id
),
resolution as (
    select alert_id, min(occurred_at) as resolved_at
    from resolved.alert_resolved
    group by alert_id
),
retraction as (
    select
        alert_id,
        min(occurred_at) as retracted_at,
        arg_min(reason, {'occurred_at': occurred_at, 'event_id': event_id}) as retraction_reason
    from resolved.alert_retracted
    group by alert_id
)
select
    alert_id,
    rule,
    severity,
    subject_kind,
    subject_id as subject,
    window_start_at,
    window_end_at,
    observed,
    threshold,
    sample_size,
    case
        when retracted_at is not null then 'retracted'
        when resolved_at is not null then 'resolved'
        when acknowledged_at is not null then 'acknowledged'
        else 'opened'
    end as state,
    occurred_at as opened_at,
    acknowledged_at,
    acknowledged_by,
    snoozed_until,
    resolved_at,
    retracted_at,
    retraction_reason,
    summary
from opened
left join acknowledgement using (alert_id)
left join resolution using (alert_id)
left join retraction using (alert_id)
