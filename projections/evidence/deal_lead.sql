-- evidence: deal_lead
-- says: the events of the deal
select leads.opportunity_id, leads.lead_id, event_type, event_id
from funnel.deal_lead as leads
join funnel.deal_event using (opportunity_id)
