-- evidence: handoff
-- says: what names the handoff, and contacts and deals of its lead that name none, until the lead is offered
--         again
with
offer as (
    select handoff_id, lead_id, offered_at,
        lead(offered_at) over (partition by lead_id order by offered_at, handoff_id) as until_at
    from funnel.handoff
)
select handoff_id, event_type, event_id
from facts.event
where handoff_id in (select handoff_id from offer)
union all
select offer.handoff_id, event_type, told.event_id
from facts.event as told
left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
join offer
    on offer.lead_id = coalesce(surviving_lead_id, told.lead_id)
    and occurred_at >= offered_at and (until_at is null or occurred_at < until_at)
where told.handoff_id is null and event_type in ('ContactAttempted', 'BuyerReached', 'OpportunityOpened')
