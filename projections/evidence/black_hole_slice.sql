-- evidence: black_hole_slice
-- says: the offer of each handoff in the state, one event each
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(handoff.offered_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    state, 'HandoffOffered' as event_type, offer_event_id as event_id
from funnel.handoff as handoff
join (select handoff_id, offer_event_id from funnel.handoff_offer) using (handoff_id)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
