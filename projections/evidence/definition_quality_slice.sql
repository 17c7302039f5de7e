-- evidence: definition_quality_slice
-- says: of the qualified what decided it, the first answer since then, and lost deals; and the first win of
--         each won lead
with
outcome as materialized (
    select * from funnel.lead_outcome
),
answered as (
    select lead_id, playbook_version, qualified_at, min(first_answer) as answer
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
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(counted_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    playbook_version, event_type, event_id
from (
    select lead_id, qualified_at as counted_at, playbook_version, event_type, event_id
    from outcome
    join evidence.qualification using (lead_id)
    where is_qualified
    union all
    select lead_id, qualified_at, playbook_version, 'Handoff' || upper(answer.answer[1]) || answer.answer[2:],
        answer.place.event_id
    from answered
    union all
    select lead_id, qualified_at, playbook_version, event_type, event_id
    from outcome
    join ended using (lead_id)
    where fate = 'lost' and status = 'lost'
    union all
    select lead_id, won_at, win_version, 'OpportunityWon', min(event_id)
    from outcome
    join ended using (lead_id)
    where status = 'won' and closed_at = won_at
    group by lead_id, won_at, win_version
)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
