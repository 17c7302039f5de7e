-- view:   qualification
-- grain:  one row per lead that was offered
-- key:    lead_id
-- reads:  facts.handoff_offered
-- says:   stand-in until the definition is evaluated: a lead is qualified when it is first offered
-- columns:
--   lead_id       the lead
--   is_qualified  always true here
--   qualified_at  first offered
select lead_id, true as is_qualified, min(occurred_at) as qualified_at
from facts.handoff_offered
where occurred_at <= $as_of
group by lead_id
