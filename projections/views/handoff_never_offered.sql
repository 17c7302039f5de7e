-- view:   handoff_never_offered
-- grain:  one row per handoff that the receiving side reports and nobody offered
-- key:    handoff_id
-- reads:  funnel.handoff_event, resolved.contact_attempted, resolved.buyer_reached
-- says:   what arrived but was never offered: answers, assignments and contacts under the id of a handoff that no offer
--         names; it stands beside the black hole and is not in its sum
-- columns:
--   handoff_id      the handoff
--   lead_id         the lead that its first event names; of merged ones the one that survives
--   first_event_at  when it was first reported
--   last_event_at   when it was last reported
--   owner           whose it is by the last event that says so
--   last_answer     accepted or returned: the latest answer
--   attempts        human attempts that name it
--   reached_at      first two-way contact that names it
--   events          events that name it
with
reported as (
    select handoff_id, event_type, event_id, occurred_at, lead_id, owner from funnel.handoff_event
    union all by name
    select handoff_id, case when is_automated then 'automated' else 'human' end as event_type, event_id, occurred_at,
        lead_id
    from resolved.contact_attempted
    union all by name
    select handoff_id, 'BuyerReached' as event_type, event_id, occurred_at, lead_id
    from resolved.buyer_reached
)
select
    handoff_id,
    arg_min(lead_id, (occurred_at, event_type, event_id)) as lead_id,
    min(occurred_at) as first_event_at,
    max(occurred_at) as last_event_at,
    arg_max(owner, (occurred_at, event_type, event_id)) filter (where owner is not null) as owner,
    lower(replace(arg_max(event_type, (occurred_at, event_type, event_id))
        filter (where event_type in ('HandoffAccepted', 'HandoffReturned')), 'Handoff', '')) as last_answer,
    count(*) filter (where event_type = 'human') as attempts,
    min(occurred_at) filter (where event_type = 'BuyerReached') as reached_at,
    count(*) as events
from reported
where handoff_id is not null
group by handoff_id
having not bool_or(event_type = 'HandoffOffered')
