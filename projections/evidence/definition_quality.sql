-- evidence: definition_quality
-- says: of the qualified what decided it, the first answer since then, and lost deals; and the first win of
--         each won lead
with
outcome as materialized (
    select *, unnest([segment, 'all']) as shown from funnel.lead_outcome
),
answered as (
    select lead_id, playbook_version, shown, min(first_answer) as answer
    from funnel.handoff_offer
    join outcome using (lead_id)
    join playbook.team as sender on sender.team = from_team and sender.side = 'marketing'
    join playbook.team as receiver on receiver.team = to_team and receiver.side = 'sales'
    where is_accepted is not null and first_answer.place.occurred_at >= qualified_at
    group by all
),
ended as (
    select deal.lead_id, status, closed_at, event_type, event_id
    from funnel.deal as deal
    join funnel.deal_event as event using (opportunity_id)
    where event.occurred_at = closed_at
        and event_type = case status when 'won' then 'OpportunityWon' else 'OpportunityLost' end
)
select playbook_version, shown as segment, event_type, event_id
from outcome
join evidence.qualification using (lead_id)
where is_qualified
union all
select playbook_version, shown, 'Handoff' || upper(answer.answer[1]) || answer.answer[2:],
    answer.place.event_id
from answered
union all
select playbook_version, shown, event_type, event_id
from outcome
join ended using (lead_id)
where fate = 'lost' and status = 'lost'
union all
select win_version, shown, 'OpportunityWon', min(event_id)
from outcome
join ended using (lead_id)
where status = 'won' and closed_at = won_at
group by lead_id, win_version, shown
