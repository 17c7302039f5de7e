-- evidence: feedback_loop_slice
-- says: the latest return of each handoff, and what the offering team first answered to it
with
returned as materialized (
    select lead_id, from_team, to_team, last_return,
        list_filter(acknowledgements, lambda given: given.place > last_return.place)[1] as acknowledgement
    from funnel.handoff_offer
    where last_return is not null
)
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(returned_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    from_team, to_team, reason_code, event_type, event_id
from (
    select lead_id, last_return.place.occurred_at as returned_at, from_team, to_team, last_return.reason_code as reason_code, 'HandoffReturned' as event_type,
        last_return.place.event_id as event_id
    from returned
    union all
    select lead_id, last_return.place.occurred_at, from_team, to_team, last_return.reason_code, 'FeedbackAcknowledged', acknowledgement.place.event_id
    from returned
    where acknowledgement is not null
)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
