-- view:   win
-- grain:  one row per deal that was won, and per credit
-- key:    opportunity_id
-- stored: opportunity_id
-- reads:  funnel.deal, playbook.rate, playbook.version
-- says:   each deal that was won, and the money booked with it in the goal's currency
-- means:  A deal counts as won when its last outcome is OpportunityWon; one that was lost and came back counts once,
--         at the later win; one that was won and then lost or reopened does not count. Booked is the amount last given
--         for the win, at the rate of the day of the win: a correction changes it and not the period (see deal).
--         An unknown amount, or one without a rate, keeps its row, with booked null. A credit, a win with a negative
--         amount, is money and no deal: it counts in sums of money, and in no number of wins or customers. A win
--         without a reported opening counts too: it takes its company and lead from the win.
-- columns:
--   opportunity_id    the deal
--   account_id        the company, see deal; null when no event names one
--   customer_id       whose first win it can be: the company, or a stand-in for this lead or deal alone, see deal
--   lead_id           the lead that counts it, see deal_lead; null without one
--   opened_at         when the deal was opened; null when that is not reported
--   won_at            when it was won
--   period            the quarter of the win, in the playbook's zone
--   amount            the amount booked, as stated (decimal); null when it is unknown
--   currency          currency of that amount, ISO 4217
--   exact_booked      booked before it is rounded to cents, for sums (decimal)
--   booked            the amount in the goal's currency (decimal); null when it is unknown, and without a rate
--   is_first          true for the customer's first win; never for a credit
--   is_credit         true for a credit
--   playbook_version  the playbook whose rate it is
select
    opportunity_id,
    account_id,
    customer_id,
    lead_id,
    opened_at,
    closed_at as won_at,
    quarter_of((closed_at at time zone version.zone)::date) as period,
    booked_amount as amount,
    booked_currency as currency,
    converted(booked_amount, exchange.rate) as exact_booked,
    cents(exact_booked) as booked,
    row_number() over (partition by customer_id order by status = 'credit', closed_at, opportunity_id) = 1
        and status = 'won' as is_first,
    status = 'credit' as is_credit,
    playbook_version
from funnel.deal as deal
cross join playbook.version as version
left join playbook.rate as exchange
    on is_rate_of(exchange, booked_currency, (closed_at at time zone version.zone)::date)
where status in ('won', 'credit')
