-- view:   qualification
-- grain:  one row per lead that was offered to another team
-- key:    lead_id
-- reads:  state.lead
-- says:   whether a lead is qualified, and since when
-- means:  A stand-in until the playbook's criteria are evaluated: whoever was offered counts.
-- columns:
--   lead_id       the lead
--   is_qualified  true when it is qualified
--   qualified_at  since when
select lead_id, true as is_qualified, offered_at as qualified_at
from state.lead
where offered_at is not null
