-- view:   alert
-- grain:  one row per alert incident: a rule of the playbook, what it is about, and the window
-- key:    alert_id
-- reads:  facts.alert_opened, facts.alert_acknowledged, facts.alert_resolved, facts.alert_retracted
-- says:   what the playbook's rules have raised, about whom, on how many cases, and what became of it
-- columns:
--   alert_id           the incident; however often it is told, it is one
--   rule               the rule's name in the playbook
--   severity           info, warning or critical
--   subject_kind       what it is about: handoff_pair, handoff or source
--   subject            which one, as in marketing>sales_development
--   window_start_at    start of the window, for windowed rules
--   window_end_at      end of the window, for windowed rules
--   observed           the value that reached the threshold
--   threshold          the threshold
--   sample_size        how many cases the value rests on
--   state              opened, acknowledged, resolved, or retracted: a late event showed it never was
--   opened_at          when the rule began to hold, in event time
--   acknowledged_at    when somebody first took it on
--   acknowledged_by    who did
--   snoozed_until      until when it stays quiet, by the latest acknowledgement
--   resolved_at        when the rule no longer held
--   retracted_at       when it was disproved
--   retraction_reason  what disproved it
--   summary            one sentence to act on
with
opened as (
    select alert_id, arg_min(opened, {'occurred_at': occurred_at, 'event_id': event_id}) as told
    from facts.alert_opened as opened
    group by alert_id
),
acknowledged as (
    select
        alert_id,
        min(occurred_at) as acknowledged_at,
        arg_min(acknowledged_by, {'occurred_at': occurred_at, 'event_id': event_id}) as acknowledged_by,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'until': snoozed_until}).until as snoozed_until
    from facts.alert_acknowledged
    group by alert_id
),
resolution as (
    select alert_id, min(occurred_at) as resolved_at
    from facts.alert_resolved
    group by alert_id
),
retracted as (
    select
        alert_id,
        min(occurred_at) as retracted_at,
        arg_min(reason, {'occurred_at': occurred_at, 'event_id': event_id}) as retraction_reason
    from facts.alert_retracted
    group by alert_id
)
select
    alert_id,
    told.rule as rule,
    told.severity as severity,
    told.subject_kind as subject_kind,
    told.subject_id as subject,
    told.window_start_at as window_start_at,
    told.window_end_at as window_end_at,
    told.observed as observed,
    told.threshold as threshold,
    told.sample_size as sample_size,
    case
        when retracted_at is not null then 'retracted'
        when resolved_at is not null then 'resolved'
        when acknowledged_at is not null then 'acknowledged'
        else 'opened'
    end as state,
    told.occurred_at as opened_at,
    acknowledged_at,
    acknowledged_by,
    snoozed_until,
    resolved_at,
    retracted_at,
    retraction_reason,
    told.summary as summary
from opened
left join acknowledged using (alert_id)
left join resolution using (alert_id)
left join retracted using (alert_id)
