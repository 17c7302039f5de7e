with
step as (
    select alert_id, count(*) as steps from funnel.alert_history group by alert_id
),
notice as (
    select alert_id, count(*) as undelivered from funnel.alert_notice where is_undelivered group by alert_id
)
select alert_id, severity, rule, case subject_kind when 'handoff' then subject end as handoff_id, lead_id, subject,
    owed_by, owner, opened_at, due_at, state, held_by, snoozed_until,
    coalesce(steps, 0) as steps, coalesce(undelivered, 0) as undelivered
from funnel.alert
left join step using (alert_id)
left join notice using (alert_id)
where is_open
order by case severity when 'critical' then 0 when 'warning' then 1 else 2 end, opened_at, alert_id limit $most_shown
