with
missed as (
    select handoff_id, count(*) as missed, count(*) filter (where is_past_due) as past_due,
        max(used_minutes - allowed_minutes) as over_minutes,
        string_agg(
            replace(sla, '_', ' ') || if(is_past_due, ' past due', ' too late'), ', ' order by starts_at, sla, episode
        ) as reasons
    from funnel.obligation where is_missed and not is_clock_suspect group by handoff_id
)
select handoff_id, lead_id, from_team, to_team, owner, offered_at, state, missed, past_due, over_minutes, reasons,
    return_reason
from missed join funnel.handoff using (handoff_id)
join (select handoff_id, offered_on from funnel.handoff_latency) using (handoff_id)
where $of_slice and (past_due > 0 or (offered_on >= $from_on and offered_on < $until_on))
order by past_due desc, missed desc, over_minutes desc, handoff_id limit 10
