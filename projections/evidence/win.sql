-- evidence: win
-- says: the OpportunityWon that is the deal's last outcome
select opportunity_id, event_type, max(event_id) as event_id
from funnel.win
join funnel.deal_event as event using (opportunity_id)
where event_type = 'OpportunityWon' and occurred_at = won_at
group by all
