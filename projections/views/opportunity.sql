-- view:   opportunity
-- grain:  one row per opportunity opened
-- key:    opportunity_id
-- reads:  funnel.deal
-- says:   each deal as it is known now: whose it is, what it is worth, its stage and its outcome
-- columns:
--   opportunity_id  the opportunity
--   account_id      the company; null when no event names one
--   lead_id         the lead that counts it, see deal_lead
--   handoff_id      the handoff it came from, where the source says so
--   owner           who opened it
--   opened_at       when it was opened
--   stage           the stage it was last in
--   probability     chance to win the source last gave with a stage, 0 to 1
--   amount          the amount it was last given (decimal)
--   currency        currency of the amount, ISO 4217
--   closes_on       the closing day it was last given
--   status          open, won, lost or credit
--   closed_at       since when it is won or lost
--   lost_reason     reason code, when lost
select
    opportunity_id,
    account_id,
    lead_id,
    handoff_id,
    owner,
    opened_at,
    stage,
    probability,
    amount,
    currency,
    closes_on,
    status,
    closed_at,
    lost_reason
from funnel.deal
where opened_at is not null
