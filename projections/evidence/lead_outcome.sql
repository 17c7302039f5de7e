-- evidence: lead_outcome
-- says: what decided that it is qualified, Sales' answers to it, and the beginning and end of its deals
select lead_id, event_type, event_id
from evidence.qualification
semi join (select lead_id from funnel.lead_outcome where is_qualified) as qualified using (lead_id)
union all
select lead_id, event_type, event_id
from funnel.lead_outcome
join funnel.handoff as handoff using (lead_id)
join evidence.handoff using (handoff_id)
where event_type in ('HandoffAccepted', 'HandoffReturned')
union all
select lead_id, event_type, event_id
from funnel.lead_outcome
join funnel.opportunity_amount as deal using (lead_id)
join facts.event as told using (opportunity_id)
where event_type in ('OpportunityOpened', 'OpportunityWon', 'OpportunityLost') and told.occurred_at <= $as_of
