-- view:   opportunity
-- grain:  one row per opportunity opened
-- key:    opportunity_id
-- reads:  state.opportunity, funnel.lead_identity
-- says:   each deal as it is known now: whose, how much, where it stands, and how it ended
-- columns:
--   opportunity_id  the opportunity
--   account_id      the company
--   lead_id         the lead it came from, where known; of merged ones the one that survives
--   handoff_id      the handoff it came from, where the source says so
--   owner           who opened it
--   opened_at       when it was opened
--   stage           the stage it was last in
--   probability     chance to win the source last gave with a stage, 0 to 1
--   amount          the amount it was last given (decimal)
--   currency        currency of the amount, ISO 4217
--   closes_on       the closing day it was last given
--   status          open, won or lost
--   closed_at       when it was won or lost
--   lost_reason     reason code, when lost
select
    opportunity_id,
    opened.account_id as account_id,
    coalesce(surviving_lead_id, opened.lead_id) as lead_id,
    opened.handoff_id as handoff_id,
    opened.owner as owner,
    opened.occurred_at as opened_at,
    stage.stage as stage,
    stage.probability as probability,
    worth.amount as amount,
    worth.currency as currency,
    closing.closes_on as closes_on,
    coalesce(outcome.status, 'open') as status,
    outcome.occurred_at as closed_at,
    outcome.reason as lost_reason
from state.opportunity
left join funnel.lead_identity as identity on identity.lead_id = opened.lead_id
where opened is not null
