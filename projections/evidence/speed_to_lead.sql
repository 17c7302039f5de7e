-- evidence: speed_to_lead
-- says: the offers that followed the buyer's signal
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(signal_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    'HandoffOffered' as event_type, offer_event_id as event_id
from (select handoff_id, lead_id, signal_at from funnel.handoff_latency where signal_at is not null)
join (select handoff_id, offer_event_id from funnel.handoff_offer) using (handoff_id)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
