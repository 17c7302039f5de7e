-- view:   lead
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- stored: lead_id
-- reads:  resolved.lead_captured, resolved.lead_profiled, resolved.touch_recorded, resolved.handoff_offered,
--         resolved.opportunity_opened
-- says:   every lead there is, whose it is and since when it is known, whatever the playbook says about it
-- columns:
--   lead_id        the lead; of merged ones the one that survives
--   account_id     its company, as first named
--   segment        the region it was first captured in, or unknown
--   first_seen_at  the first event that makes a lead, by the source's clock; a deal alone makes none
--   source_system  the system that reported that event; of several at one instant, that of the smallest id
with
mention as (
    select 'capture' as kind, lead_id, occurred_at, event_id, source, account_id, region from resolved.lead_captured
    union all by name
    select 'profile' as kind, lead_id, occurred_at, event_id, source, account_id from resolved.lead_profiled
    union all by name
    -- Of the many touches only the first can matter.
    select 'touch' as kind, lead_id, min(occurred_at) as occurred_at,
        arg_min(event_id, (occurred_at, event_id)) as event_id, arg_min(source, (occurred_at, event_id)) as source
    from resolved.touch_recorded
    group by lead_id
    union all by name
    select 'offer' as kind, lead_id, occurred_at, event_id, source, account_id from resolved.handoff_offered
    union all by name
    select 'deal' as kind, lead_id, occurred_at, event_id, source, account_id from resolved.opportunity_opened
)
select
    lead_id,
    arg_min(account_id, (occurred_at, event_id, account_id)) filter (where account_id is not null) as account_id,
    coalesce(arg_min(region, (occurred_at, event_id, region)) filter (where region is not null), 'unknown')
        as segment,
    min(occurred_at) filter (where kind <> 'deal') as first_seen_at,
    arg_min(source, (occurred_at, event_id, source)) filter (where kind <> 'deal') as source_system
from mention
group by lead_id
having first_seen_at is not null
