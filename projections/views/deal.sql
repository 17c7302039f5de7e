-- view:   deal
-- grain:  one row per deal that any event reports
-- key:    opportunity_id
-- stored: opportunity_id
-- reads:  funnel.deal_event, funnel.deal_lead, funnel.lead_account
-- says:   each deal: whose it is, what it is worth, its stage and its outcome; every number about deals starts from
--         here
-- means:  The last outcome decides: a deal that was won and then lost is lost; one that was reopened, or opened once
--         more, after it had ended is open until its next outcome. A win or loss that is reported again is the same:
--         it keeps its time, so a corrected amount changes what is booked and not the period. Booked is the amount
--         last given by the win, by its repetitions and by later revisions. A win with a negative amount is a
--         credit: it counts as money of its own period, and as a deal nowhere.
-- columns:
--   opportunity_id   the deal; of merged ones the one that survives
--   account_id       the company: the first opening's that names one, else the last win's
--   customer_id      the company, else that of its lead; without any, a stand-in of its own: lead:ID of its lead, or
--                    deal:ID of the deal
--   lead_id          the lead that counts it, see deal_lead
--   handoff_id       the handoff it came from, where an opening names one
--   owner            who first opened it
--   opened_at        when it was first opened; null when only later events are known
--   first_at         when it was first opened, or else first reported
--   stage            the stage it was last in
--   probability      chance to win given with that stage, 0 to 1
--   amount           the amount it was last given, as stated (decimal)
--   currency         currency of the amount, ISO 4217
--   closes_on        the closing day it was last given
--   status           open, won, lost or credit
--   closed_at        since when it is won or lost
--   booked_amount    the amount of the win (decimal); null unless won, and when nothing states it
--   booked_currency  currency of that amount, ISO 4217
--   lost_reason      reason code, when lost
with
reported as (
    select
        opportunity_id,
        deal_account(event) as account_id,
        arg_min(handoff_id, place) as handoff_id,
        min(occurred_at) as first_at,
        max({'place': place, 'stage': stage, 'probability': probability}) filter (where stage is not null) as stage,
        deal_known(event) as known
    from funnel.deal_event as event
    group by opportunity_id
),
decided as (
    select *, deal_outcome(known) as outcome
    from reported
),
counted_lead as (
    select opportunity_id, lead_id from funnel.deal_lead where is_counted
)
select
    opportunity_id,
    decided.account_id,
    coalesce(decided.account_id, lead_account.account_id, 'lead:' || lead_id, 'deal:' || opportunity_id) as customer_id,
    lead_id,
    handoff_id,
    known.opening.owner as owner,
    known.opening.place.occurred_at as opened_at,
    coalesce(opened_at, first_at) as first_at,
    stage.stage as stage,
    stage.probability as probability,
    known.amount.amount as amount,
    known.amount.currency as currency,
    known.closing_day.closes_on as closes_on,
    case
        when outcome is null then 'open'
        when not outcome.is_won then 'lost'
        when outcome.booked.amount < 0 then 'credit'
        else 'won'
    end as status,
    outcome.place.occurred_at as closed_at,
    outcome.booked.amount as booked_amount,
    outcome.booked.currency as booked_currency,
    outcome.reason_code as lost_reason
from decided
left join counted_lead using (opportunity_id)
left join funnel.lead_account as lead_account using (lead_id)
