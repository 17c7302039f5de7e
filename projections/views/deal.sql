-- view:   deal
-- grain:  one row per deal that any event reports
-- key:    opportunity_id
-- reads:  funnel.deal_event
-- says:   each deal: whose it is, what it is worth, its stage and its outcome; every number about deals starts from
--         here
-- columns:
--   opportunity_id   the deal
--   account_id       the company: the first opening's, else the last win's
--   lead_id          the lead it came from: the first event that names one; of merged ones the one that survives
--   handoff_id       the handoff it came from, where the first opening names one
--   owner            who opened it
--   opened_at        when it was first opened; null when only later events are known
--   stage            the stage it was last in
--   probability      chance to win given with that stage, 0 to 1
--   amount           the amount it was last given, as stated (decimal)
--   currency         currency of the amount, ISO 4217
--   closes_on        the closing day it was last given
--   status           open, won or lost: its last outcome
--   closed_at        when it was last won or lost
--   booked_amount    the amount the last outcome states, when it is a win (decimal)
--   booked_currency  currency of that amount, ISO 4217
--   lost_reason      reason code, when lost
with
known as (
    select
        opportunity_id,
        deal_opening(event) as opening,
        (min({'place': place, 'lead_id': lead_id}) filter (where lead_id is not null)).lead_id as lead_id,
        max({'place': place, 'stage': stage, 'probability': probability}) filter (where stage is not null) as stage,
        deal_amount(event) as amount,
        deal_closing_day(event) as closing_day,
        deal_outcome(event) as outcome
    from funnel.deal_event as event
    group by opportunity_id
)
select
    opportunity_id,
    coalesce(opening.account_id, outcome.account_id) as account_id,
    lead_id,
    opening.handoff_id as handoff_id,
    opening.owner as owner,
    opening.place.occurred_at as opened_at,
    stage.stage as stage,
    stage.probability as probability,
    amount.amount as amount,
    amount.currency as currency,
    closing_day.closes_on as closes_on,
    case when outcome is null then 'open' when outcome.is_won then 'won' else 'lost' end as status,
    outcome.place.occurred_at as closed_at,
    case when outcome.is_won then outcome.amount end as booked_amount,
    case when outcome.is_won then outcome.currency end as booked_currency,
    outcome.reason_code as lost_reason
from known
