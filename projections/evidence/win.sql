-- evidence: win
-- says: the OpportunityWon with which the deal was won, and the event that last gave its amount
with
outcome as (
    select opportunity_id, deal_outcome(known) as outcome
    from (
        select opportunity_id, deal_known(event) as known from funnel.deal_event as event group by opportunity_id
    )
)
select distinct opportunity_id, behind.event_type as event_type, behind.event_id as event_id
from (
    select opportunity_id,
        unnest([
            {'event_type': outcome.event_type, 'event_id': outcome.place.event_id},
            {'event_type': outcome.booked.event_type, 'event_id': outcome.booked.place.event_id}
        ]) as behind
    from outcome
    where outcome.is_won
)
where behind.event_id is not null
