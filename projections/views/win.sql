-- view:   win
-- grain:  one row per opportunity whose last outcome is won
-- key:    opportunity_id
-- reads:  funnel.deal, playbook.rate, playbook.version
-- says:   each deal that was won, and the money booked with it in the goal's currency
-- means:  A deal counts as won when its last outcome is OpportunityWon; one that was lost and came back counts once,
--         at the later win. Booked is the amount that win states, whatever was expected before, at the rate of the
--         day of the win in the playbook in force. An amount without a rate keeps its row and its own currency, with booked null. A win
--         without a reported opening counts too: it takes its company and lead from the win.
-- columns:
--   opportunity_id    the deal
--   account_id        the company: the opening's, else the win's
--   lead_id           the lead it came from, see deal; null when no event names one
--   opened_at         when the deal was opened; null when that is not reported
--   won_at            when it was won
--   period            the quarter of the win, in the playbook's zone
--   amount            the amount booked, as stated (decimal)
--   currency          currency of that amount, ISO 4217
--   exact_booked      booked before it is rounded to cents, for sums (decimal)
--   booked            the amount in the goal's currency (decimal); null without a rate
--   is_first          true for the company's first win
--   playbook_version  the playbook whose rate it is
select
    opportunity_id,
    account_id,
    lead_id,
    opened_at,
    closed_at as won_at,
    quarter_of((closed_at at time zone version.zone)::date) as period,
    booked_amount as amount,
    booked_currency as currency,
    converted(booked_amount, exchange.rate) as exact_booked,
    cents(exact_booked) as booked,
    row_number() over (partition by account_id order by closed_at, opportunity_id) = 1 as is_first,
    playbook_version
from funnel.deal as deal
cross join playbook.version as version
left join playbook.rate as exchange
    on is_rate_of(exchange, booked_currency, (closed_at at time zone version.zone)::date)
where status = 'won'
