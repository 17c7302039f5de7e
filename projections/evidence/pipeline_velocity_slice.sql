-- evidence: pipeline_velocity_slice
-- says: the events of the deals of the slice that are open, or were opened in the cohort
select dimension, dimension_value(dimension, value) as value, event_type, event_id
from funnel.deal as deal
join (select opportunity_id, event_type, event_id from funnel.deal_event) using (opportunity_id)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.version
where deal.status <> 'credit' and deal.opened_at is not null
    and (deal.status = 'open' or deal.opened_at >= $as_of - to_microseconds(cohort_us))
