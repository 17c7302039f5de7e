-- evidence: feedback_loop
-- says: the latest return of each handoff, and what the offering team first answered to it
with
returned as materialized (
    select from_team, to_team, last_return,
        list_filter(acknowledgements, lambda given: given.place > last_return.place)[1] as acknowledgement
    from funnel.handoff_offer
    where last_return is not null
)
select from_team, to_team, last_return.reason_code as reason_code, 'HandoffReturned' as event_type,
    last_return.place.event_id as event_id
from returned
union all
select from_team, to_team, last_return.reason_code, 'FeedbackAcknowledged', acknowledgement.place.event_id
from returned
where acknowledgement is not null
