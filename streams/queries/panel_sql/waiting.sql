select owed_by, case owed_by when to_team then from_team else to_team end as owed_to, from_team, to_team, sla,
    count(*) filter (where outcome = 'open') as open,
    count(*) filter (where is_at_risk) as at_risk,
    count(*) filter (where is_past_due) as past_due,
    min(due_at) filter (where is_past_due) as oldest_due_at
from funnel.obligation join (select handoff_id, lead_id from funnel.handoff_offer) as offer using (handoff_id)
where (outcome = 'open' or is_past_due) and $of_slice
group by all order by past_due desc, open desc, owed_by, owed_to, sla
