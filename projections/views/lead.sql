-- view:   lead
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- reads:  funnel.lead_identity, facts.lead_captured, facts.lead_profiled, facts.touch_recorded,
--         facts.handoff_offered, facts.opportunity_opened
-- says:   every lead there is, whose it is and since when it is known, whatever the playbook says about it
-- columns:
--   lead_id        the lead; of merged ones the one that survives
--   account_id     its company, as first named
--   segment        the region it was first captured in, or unknown
--   first_seen_at  the first event that makes a lead, by the source's clock; a deal alone makes none
with
identity as materialized (
    select lead_id, surviving_lead_id from funnel.lead_identity
),
told as (
    select 'capture' as about, lead_id, occurred_at, event_id, account_id, region from facts.lead_captured
    union all by name
    select 'profile' as about, lead_id, occurred_at, event_id, account_id from facts.lead_profiled
    union all by name
    -- Of the many touches only the first can matter.
    select 'touch' as about, lead_id, min(occurred_at) as occurred_at from facts.touch_recorded group by lead_id
    union all by name
    select 'offer' as about, lead_id, occurred_at, event_id, account_id from facts.handoff_offered
    union all by name
    select 'deal' as about, lead_id, occurred_at, event_id, account_id from facts.opportunity_opened
)
select
    coalesce(surviving_lead_id, told.lead_id) as lead_id,
    arg_min(account_id, (occurred_at, event_id, account_id)) filter (where account_id is not null) as account_id,
    coalesce(arg_min(region, (occurred_at, event_id, region)) filter (where region is not null), 'unknown')
        as segment,
    min(occurred_at) filter (where about <> 'deal') as first_seen_at
from told
left join identity on identity.lead_id = told.lead_id
where occurred_at <= $as_of
group by coalesce(surviving_lead_id, told.lead_id)
having first_seen_at is not null
