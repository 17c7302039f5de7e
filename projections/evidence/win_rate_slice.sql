-- evidence: win_rate_slice
-- says: the events of the deals opened in the period, or won or lost in it
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(counted_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    event_type, event_id
from (
    select opportunity_id, lead_id, unnest(list_distinct([first_at, closed_at])) as counted_at
    from funnel.deal
    where status <> 'credit'
)
join (select opportunity_id, event_type, event_id from funnel.deal_event) using (opportunity_id)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
where counted_at is not null
