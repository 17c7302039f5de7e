-- evidence: win
-- says: the OpportunityWon that stands
select opportunity_id, 'OpportunityWon' as event_type, max(won.event_id) as event_id
from funnel.win
join facts.opportunity_won as won using (opportunity_id)
where won.occurred_at = won_at
group by opportunity_id
