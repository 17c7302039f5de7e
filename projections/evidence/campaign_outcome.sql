-- evidence: campaign_outcome
-- says: its plan and costs, how its leads were captured, the openings and wins of their deals, and the
--       sessions with credit by the linear model
with
campaign_lead as materialized (
    select lead_id, campaign_id, event_id from funnel.campaign_lead
)
select campaign_id, event_type, event_id from evidence.campaign_cost
union all
select campaign_id, 'LeadCaptured', event_id from campaign_lead
union all
select campaign_id, event_type, deal_event.event_id
from campaign_lead
join funnel.deal using (lead_id)
join funnel.deal_event using (opportunity_id)
where event_type in ('OpportunityOpened', 'OpportunityWon') and (opened_at is not null or status = 'won')
union all
select campaign_id, event_type, session_id
from funnel.attribution
where model = 'linear' and campaign_id is not null
