-- evidence: handoff_pair_slice
-- says: the offer of each handoff of the pair, and its first answer
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(offered_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    from_team, to_team, event_type, event_id
from (
    select lead_id, offered_at, from_team, to_team, 'HandoffOffered' as event_type, offer_event_id as event_id
    from funnel.handoff_offer
    union all
    select lead_id, offered_at, from_team, to_team, 'Handoff' || upper(first_answer.answer[1]) || first_answer.answer[2:],
        first_answer.place.event_id
    from funnel.handoff_offer
    where first_answer is not null
)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
