-- view:   opportunity_amount
-- grain:  one row per opportunity that was opened, revised, won or lost by as-of
-- key:    opportunity_id
-- reads:  funnel.deal, playbook.rate, playbook.version
-- says:   what each deal is worth in the currency of the goals, and what of it was booked
-- means:  A deal is as it was last reported by as-of. It is booked when its last outcome is won, with the amount last
--         given for that win (see deal). An amount without a rate is null here; sums leave it out and count it as
--         unpriced.
-- columns:
--   opportunity_id  the opportunity
--   lead_id         the lead that counts it, see deal_lead
--   opened_at       when it was first opened; null when only its end is known
--   status          open, won, lost or credit: a credit is money, and no deal won
--   closed_at       since when it is won or lost
--   amount          the amount last given, in the goals' currency; null without amount or rate
--   booked          what was booked, in the goals' currency; null unless won or a credit, and without a rate
--   currency        the goals' currency
select
    opportunity_id,
    lead_id,
    opened_at,
    status,
    closed_at,
    converted(amount, worth_rate.rate) as amount,
    converted(booked_amount, booked_rate.rate) as booked,
    version.currency
from funnel.deal as deal
cross join playbook.version as version
left join playbook.rate as worth_rate on worth_rate.currency = deal.currency
left join playbook.rate as booked_rate on booked_rate.currency = deal.booked_currency
