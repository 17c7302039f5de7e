-- view:   alert
-- grain:  one row per alert incident: a rule of the playbook, what it is about, and when it began to hold
-- key:    alert_id
-- reads:  resolved.alert_opened, resolved.alert_acknowledged, resolved.alert_escalated, resolved.alert_resolved,
--         resolved.alert_retracted
-- says:   the alerts the playbook's rules have raised: about what, based on how many cases, and what became of them
-- means:  The earliest AlertOpened of an incident counts, and its earliest acknowledgement, escalation, resolution and
--         retraction; held_by and snoozed_until are of the latest acknowledgement. A snooze that has run out is no
--         acknowledgement any more.
-- columns:
--   alert_id           the incident; it stays one however often it is reported
--   rule               the rule's name in the playbook
--   severity           info, warning or critical
--   subject_kind       what it is about: handoff_pair, handoff or source
--   subject            which one, as in marketing>sales_development
--   lead_id            the lead, for alerts about one handoff
--   window_start_at    start of the window, for windowed rules
--   window_end_at      end of the window, for windowed rules
--   observed           the value that reached the threshold
--   threshold          the threshold
--   sample_size        how many cases the value is based on
--   sla                what is owed on the handoff: answer, first_attempt, attempts or acknowledge_return
--   episode            which time it was owed
--   owed_by            the team whose part it is
--   owed_to            the team that waits
--   owner              the person who owed it when it opened; null when a team did
--   due_at             when it was due
--   allowed_minutes    minutes that the playbook allows
--   late_minutes       minutes beyond those, once it ended late
--   owner_team         the team that owns the rule
--   state              opened, acknowledged, snoozed, resolved, or retracted: a late event showed that it never held
--   is_open            true until it is resolved or retracted
--   opened_at          when the rule began to hold, in event time
--   acknowledged_at    when somebody first acknowledged it
--   acknowledged_by    who did
--   held_by            who acknowledged it last
--   snoozed_until      until when it is snoozed, by the latest acknowledgement
--   escalated_at       when it was escalated, for nobody acknowledged it
--   resolved_at        when the rule no longer held
--   resolved_by_cause  how it ended: met, lapsed, moot, window_ended or rule_removed
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
        max({'occurred_at': occurred_at, 'event_id': event_id, 'by': acknowledged_by, 'until': snoozed_until}) as latest
    from resolved.alert_acknowledged
    group by alert_id
),
escalation as (
    select alert_id, min(occurred_at) as escalated_at
    from resolved.alert_escalated
    group by alert_id
),
resolution as (
    select *
    from resolved.alert_resolved
    qualify row_number() over (partition by alert_id order by occurred_at, event_id) = 1
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
    subject_lead_id as lead_id,
    window_start_at,
    window_end_at,
    opened.observed,
    threshold,
    sample_size,
    sla,
    episode,
    owed_by,
    owed_to,
    owner,
    due_at,
    allowed_minutes,
    resolution.late_minutes,
    owner_team,
    case
        when retracted_at is not null then 'retracted'
        when resolution.alert_id is not null then 'resolved'
        when latest.until > $as_of then 'snoozed'
        when acknowledged_at is not null and latest.until is null then 'acknowledged'
        else 'opened'
    end as state,
    retracted_at is null and resolution.alert_id is null as is_open,
    opened.occurred_at as opened_at,
    acknowledged_at,
    acknowledged_by,
    latest.by as held_by,
    latest.until as snoozed_until,
    escalated_at,
    resolution.occurred_at as resolved_at,
    resolution.cause as resolved_by_cause,
    retracted_at,
    retraction_reason,
    summary
from opened
left join acknowledgement using (alert_id)
left join escalation using (alert_id)
left join resolution using (alert_id)
left join retraction using (alert_id)
