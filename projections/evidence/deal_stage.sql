-- evidence: deal_stage
-- says: how its stays began, and the openings of the deals that are in it
select stage, event_type, event_id
from funnel.deal_stay as stay
join evidence.deal_stay using (opportunity_id, number)
union
select coalesce(deal.stage, 'unknown'), event_type, event_id
from funnel.deal as deal
join funnel.deal_event using (opportunity_id)
where status = 'open' and event_type = 'OpportunityOpened'
