-- evidence: deal_attribute
-- says: the openings that stated the attribute first and last
select opportunity_id, name, event_type, event_id
from funnel.deal_attribute
join resolved.event using (opportunity_id)
where event_id in (first_event_id, last_event_id) and event_type = 'OpportunityOpened'
