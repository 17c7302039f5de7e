-- evidence: lead
-- says: the first event that made it a lead
select lead_id, event_type, event_id
from funnel.lead
join (
    select coalesce(surviving_lead_id, told.lead_id) as lead_id, event_type, told.event_id, occurred_at
    from facts.event as told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    where event_type in ('LeadCaptured', 'LeadProfiled', 'TouchRecorded', 'HandoffOffered')
) using (lead_id)
where occurred_at = first_seen_at
