-- evidence: lead_outcome
-- says: what decided that it is qualified, each first answer to its handoffs, and how its deals began and
--         ended
with
outcome as materialized (
    select lead_id, is_qualified from funnel.lead_outcome
)
select lead_id, event_type, event_id
from evidence.qualification
semi join (select lead_id from outcome where is_qualified) as qualified using (lead_id)
union all
select lead_id, 'Handoff' || upper(first_answer.answer[1]) || first_answer.answer[2:],
    first_answer.place.event_id
from outcome
join funnel.handoff_offer using (lead_id)
where first_answer is not null
union all
select deal.lead_id, event_type, event_id
from outcome
join funnel.deal as deal using (lead_id)
join funnel.deal_event using (opportunity_id)
where event_type in ('OpportunityOpened', 'OpportunityWon', 'OpportunityLost')
