-- view:   opportunity_amount
-- grain:  one row per opportunity that was opened, revised, won or lost by as-of
-- key:    opportunity_id
-- reads:  facts.opportunity_opened, facts.opportunity_revised, facts.opportunity_won, facts.opportunity_lost,
--         funnel.lead_identity, playbook.rate, playbook.version
-- says:   what each deal is worth in the currency of the goals, and what of it was booked
-- means:  A deal is as it was last told by as-of. It is booked when its last outcome is won, with the amount
--         that this outcome states: a revision that comes later changes the amount, and not what was booked.
--         An amount without a rate stays null here and is counted as unpriced by whoever sums.
-- columns:
--   opportunity_id  the opportunity
--   lead_id         the lead it came from, by the first event that names one; of merged leads the survivor
--   opened_at       when it was first opened; null when only its end is known
--   status          open, won or lost
--   closed_at       when it was last won or lost
--   amount          the amount last given, in the goals' currency; null without amount or rate
--   booked          what was booked, in the goals' currency; null unless won, and without a rate
--   currency        the goals' currency
with
told as (
    select 'opened' as kind, opportunity_id, lead_id, occurred_at, event_id, amount, currency
    from facts.opportunity_opened where occurred_at <= $as_of
    union all by name
    select 'revised' as kind, opportunity_id, lead_id, occurred_at, event_id, amount, currency
    from facts.opportunity_revised where occurred_at <= $as_of
    union all by name
    select 'won' as kind, opportunity_id, lead_id, occurred_at, event_id, amount, currency
    from facts.opportunity_won where occurred_at <= $as_of
    union all by name
    select 'lost' as kind, opportunity_id, lead_id, occurred_at, event_id
    from facts.opportunity_lost where occurred_at <= $as_of
),
deal as (
    select
        opportunity_id,
        min({'occurred_at': occurred_at, 'event_id': event_id, 'lead_id': lead_id})
            filter (where lead_id is not null) as named,
        min(occurred_at) filter (where kind = 'opened') as opened_at,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'amount': amount, 'currency': currency})
            filter (where amount is not null) as worth,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'kind': kind, 'amount': amount,
             'currency': currency})
            filter (where kind in ('won', 'lost')) as outcome
    from told
    group by opportunity_id
)
select
    opportunity_id,
    coalesce(surviving_lead_id, named.lead_id) as lead_id,
    opened_at,
    coalesce(outcome.kind, 'open') as status,
    outcome.occurred_at as closed_at,
    converted(worth.amount, worth_rate.rate) as amount,
    case when outcome.kind = 'won' then converted(outcome.amount, booked_rate.rate) end as booked,
    version.currency
from deal
left join funnel.lead_identity as identity on identity.lead_id = deal.named.lead_id
cross join playbook.version as version
left join playbook.rate as worth_rate on worth_rate.currency = deal.worth.currency
left join playbook.rate as booked_rate on booked_rate.currency = deal.outcome.currency
