-- view:   deal_event
-- grain:  one row per event of a deal
-- key:    event_type, event_id
-- reads:  resolved.opportunity_opened, resolved.opportunity_revised, resolved.opportunity_stage_entered,
--         resolved.opportunity_won, resolved.opportunity_lost
-- says:   everything reported about a deal, in the order in which it counts
-- means:  Events of one instant count in the order of their meaning: opened, revised, stage entered, won or lost;
--         only then by event id.
-- columns:
--   opportunity_id  the deal
--   event_type      OpportunityOpened, OpportunityRevised, OpportunityStageEntered, OpportunityWon or OpportunityLost
--   event_id        the event
--   occurred_at     when it happened
--   recorded_at     when Baton accepted it
--   place           what decides between two events: the instant, the meaning, the event id; later ones are greater
--   account_id      the company it names
--   lead_id         the lead it names; of merged ones the one that survives
--   handoff_id      the handoff it names
--   owner           who opened the deal
--   stage           the stage entered, or opened in
--   probability     chance to win, 0 to 1, given with the stage
--   amount          the amount it gives (decimal)
--   currency        currency of the amount, ISO 4217
--   closes_on       the closing day it gives
--   reason_code     why the deal was lost
with
reported as (
    select 'OpportunityOpened' as event_type, 1 as rank, opportunity_id, event_id, occurred_at, recorded_at,
        account_id, lead_id, handoff_id, owner, stage, amount, currency, closes_on
    from resolved.opportunity_opened
    union all by name
    select 'OpportunityRevised' as event_type, 2 as rank, opportunity_id, event_id, occurred_at, recorded_at,
        lead_id, amount, currency, closes_on
    from resolved.opportunity_revised
    union all by name
    select 'OpportunityStageEntered' as event_type, 3 as rank, opportunity_id, event_id, occurred_at, recorded_at,
        lead_id, stage, probability
    from resolved.opportunity_stage_entered
    union all by name
    select 'OpportunityWon' as event_type, 4 as rank, opportunity_id, event_id, occurred_at, recorded_at,
        account_id, lead_id, amount, currency
    from resolved.opportunity_won
    union all by name
    select 'OpportunityLost' as event_type, 4 as rank, opportunity_id, event_id, occurred_at, recorded_at,
        lead_id, reason_code
    from resolved.opportunity_lost
)
select
    opportunity_id,
    event_type,
    event_id,
    occurred_at,
    recorded_at,
    {'occurred_at': occurred_at, 'rank': rank, 'event_id': event_id} as place,
    account_id,
    lead_id,
    handoff_id,
    owner,
    stage,
    probability,
    amount,
    currency,
    closes_on,
    reason_code
from reported
