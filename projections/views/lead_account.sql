-- view:   lead_account
-- grain:  one row per lead that any event links to a company
-- key:    lead_id
-- stored: lead_id
-- reads:  resolved.lead_captured, resolved.lead_profiled, resolved.handoff_offered, resolved.opportunity_opened
-- says:   the company of each lead: the first one that a capture, a profile, an offer or a deal of the lead names
-- columns:
--   lead_id     the lead; of merged ones the one that survives
--   account_id  its company, as first named
--   linked_at   when that was
select
    lead_id,
    arg_min(account_id, (occurred_at, event_id, account_id)) as account_id,
    min(occurred_at) as linked_at
from (
    select lead_id, occurred_at, event_id, account_id from resolved.lead_captured
    union all
    select lead_id, occurred_at, event_id, account_id from resolved.lead_profiled
    union all
    select lead_id, occurred_at, event_id, account_id from resolved.handoff_offered
    union all
    select lead_id, occurred_at, event_id, account_id from resolved.opportunity_opened
)
where account_id is not null and lead_id is not null
group by lead_id
