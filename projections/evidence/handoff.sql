-- evidence: handoff
-- says: what names the handoff, and contacts and deals of its lead that name none, until the lead is offered
--         again
with
offer_period as materialized (
    select handoff_id, lead_id, offered_at, coalesce(until_at, 'infinity') as until_at
    from funnel.lead_offer_period
)
select handoff_id, event_type, event_id
from facts.event
where handoff_id in (select handoff_id from offer_period)
union all
select offer_period.handoff_id, event_type, event_id
from resolved.event as event
join offer_period
    on offer_period.lead_id = event.lead_id and occurred_at >= offered_at and occurred_at < until_at
where event.handoff_id is null and event_type in ('ContactAttempted', 'BuyerReached', 'OpportunityOpened')
