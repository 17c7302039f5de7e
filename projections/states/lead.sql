-- state:  lead
-- grain:  one row per lead
-- key:    lead_id
-- reads:  facts.lead_captured, facts.touch_recorded, facts.handoff_offered, facts.handoff_accepted,
--         facts.handoff_returned, facts.feedback_acknowledged, facts.buyer_reached,
--         facts.opportunity_opened, facts.opportunity_won, facts.opportunity_lost
-- says:   when the lead first came to each stage of the funnel, and when it was last lost, returned or taken up
-- columns:
--   captured_at     min  first captured
--   engaged_at      min  first inbound touch by a human
--   offered_at      min  first offered to another team
--   accepted_at     min  first accepted
--   reached_at      min  buyer first reached
--   opened_at       min  first opportunity opened
--   won_at          min  first opportunity won
--   last_lost_at    max  last lost, or disqualified after a return
--   last_return_at  max  last returned to the team that offered it
--   last_active_at  max  last offered, accepted or turned into an opportunity
select lead_id, occurred_at as captured_at from facts.lead_captured
union all by name
select lead_id, occurred_at as engaged_at from facts.touch_recorded where is_inbound and not is_automated
union all by name
select lead_id, occurred_at as offered_at, occurred_at as last_active_at from facts.handoff_offered
union all by name
select lead_id, occurred_at as accepted_at, occurred_at as last_active_at from facts.handoff_accepted
union all by name
select lead_id, occurred_at as last_return_at from facts.handoff_returned
union all by name
select lead_id, occurred_at as last_lost_at from facts.feedback_acknowledged where disposition = 'disqualify'
union all by name
select lead_id, occurred_at as reached_at from facts.buyer_reached
union all by name
select lead_id, occurred_at as opened_at, occurred_at as last_active_at
from facts.opportunity_opened where lead_id is not null
union all by name
select lead_id, occurred_at as won_at from facts.opportunity_won where lead_id is not null
union all by name
select lead_id, occurred_at as last_lost_at from facts.opportunity_lost where lead_id is not null
