-- view:   opportunity_amount
-- grain:  one row per opportunity that was opened, revised, won or lost by as-of
-- key:    opportunity_id
-- reads:  funnel.deal, playbook.rate, playbook.version
-- says:   what each deal is worth in the currency of the goals, and what of it was booked
-- means:  A deal is as it was last reported by as-of. It is booked when its last outcome is won, with the amount last
--         given for that win (see deal). Both are at the rate of the day the deal was won or lost; an open one at that
--         of as-of. An amount without a rate is null here; sums leave it out and count it as unpriced.
-- columns:
--   opportunity_id  the opportunity
--   lead_id         the lead that counts it, see deal_lead
--   opened_at       when it was first opened; null when only its end is known
--   owner           who first opened it
--   status          open, won, lost or credit: a credit is money, and no deal won
--   closed_at       since when it is won or lost
--   exact_amount    amount before it is rounded to cents, for sums
--   exact_booked    booked before it is rounded to cents, for sums
--   amount          the amount last given, in the goals' currency; null without amount or rate
--   booked          what was booked, in the goals' currency; null unless won or a credit, and without a rate
--   currency        the goals' currency
--   closes_on       the closing day it was last given
select
    opportunity_id,
    lead_id,
    opened_at,
    deal.owner,
    status,
    closed_at,
    converted(deal.amount, worth.rate) as exact_amount,
    converted(booked_amount, booking.rate) as exact_booked,
    cents(exact_amount) as amount,
    cents(exact_booked) as booked,
    version.currency,
    closes_on
from funnel.deal as deal
cross join playbook.version as version
cross join lateral (select (coalesce(closed_at, $as_of) at time zone version.zone)::date) as priced(priced_on)
left join playbook.rate as worth on is_rate_of(worth, deal.currency, priced_on)
left join playbook.rate as booking on is_rate_of(booking, deal.booked_currency, priced_on)
