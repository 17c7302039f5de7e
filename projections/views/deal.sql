-- view:   deal
-- grain:  one row per deal that any event reports
-- key:    opportunity_id
-- reads:  funnel.deal_event
-- says:   the one story of each deal: whose it is, what it is worth, where it stands and how it ended; every number
--         about deals starts from here
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
summed_up as (
    select
        opportunity_id,
        min({'place': place, 'account_id': account_id, 'handoff_id': handoff_id, 'owner': owner})
            filter (where event_type = 'OpportunityOpened') as opened,
        (min({'place': place, 'lead_id': lead_id}) filter (where lead_id is not null)).lead_id as lead_id,
        max({'place': place, 'stage': stage, 'probability': probability}) filter (where stage is not null) as stage,
        max({'place': place, 'amount': amount, 'currency': currency}) filter (where amount is not null) as worth,
        max({'place': place, 'closes_on': closes_on}) filter (where closes_on is not null) as closing,
        max({
            'place': place, 'is_won': event_type = 'OpportunityWon', 'account_id': account_id, 'amount': amount,
            'currency': currency, 'reason_code': reason_code
        }) filter (where event_type in ('OpportunityWon', 'OpportunityLost')) as outcome
    from funnel.deal_event
    group by opportunity_id
)
select
    opportunity_id,
    coalesce(opened.account_id, outcome.account_id) as account_id,
    lead_id,
    opened.handoff_id as handoff_id,
    opened.owner as owner,
    opened.place.occurred_at as opened_at,
    stage.stage as stage,
    stage.probability as probability,
    worth.amount as amount,
    worth.currency as currency,
    closing.closes_on as closes_on,
    case when outcome is null then 'open' when outcome.is_won then 'won' else 'lost' end as status,
    outcome.place.occurred_at as closed_at,
    case when outcome.is_won then outcome.amount end as booked_amount,
    case when outcome.is_won then outcome.currency end as booked_currency,
    outcome.reason_code as lost_reason
from summed_up
