-- evidence: lead_attribute
-- says: the events that stated the attribute first and last
select lead_id, name, event_type, event_id
from funnel.lead_attribute
join resolved.event using (lead_id)
where event_id in (first_event_id, last_event_id)
    and event_type in ('LeadCaptured', 'LeadProfiled', 'TouchRecorded', 'HandoffOffered')
