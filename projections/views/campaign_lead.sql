-- view:   campaign_lead
-- grain:  one row per lead that a campaign captured
-- key:    lead_id
-- reads:  resolved.lead_captured, resolved.handoff_accepted, funnel.lead_verdict
-- says:   which campaign captured each lead, and whether the lead was qualified and accepted
-- means:  A lead belongs to the campaign of its earliest LeadCaptured that names one. Accepted: it has a
--         HandoffAccepted.
-- columns:
--   lead_id       the lead; of merged ones the one that survives
--   campaign_id   the campaign that captured it
--   event_id      the LeadCaptured that names the campaign
--   captured_at   when that was
--   is_qualified  true when the lead met the playbook's definition
--   is_accepted   true when a team accepted it
select
    lead_id,
    campaign_id,
    event_id,
    occurred_at as captured_at,
    lead_id in (select lead_id from funnel.lead_verdict where is_qualified) as is_qualified,
    lead_id in (select lead_id from resolved.handoff_accepted) as is_accepted
from resolved.lead_captured
where campaign_id is not null
qualify row_number() over (partition by lead_id order by occurred_at, event_id) = 1
