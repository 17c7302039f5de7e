-- evidence: lead
-- says: the first event that made it a lead
select lead_id, event_type, event_id
from funnel.lead
join resolved.event using (lead_id)
where occurred_at = first_seen_at
    and event_type in ('LeadCaptured', 'LeadProfiled', 'TouchRecorded', 'HandoffOffered')
