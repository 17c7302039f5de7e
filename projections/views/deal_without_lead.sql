-- view:   deal_without_lead
-- grain:  one row per window in which a deal was opened or won
-- key:    window_start
-- reads:  funnel.opportunity_amount, playbook.version
-- says:   how many deals, and how much money of each window, no lead of the funnel accounts for
-- means:  A deal has the lead that funnel.deal gives it. Deals without one are missing from funnel_stage and from every
--         rate of leads; here they are counted. Amounts are those last given, of deals opened in the window, and what
--         was booked by deals won in it; a credit is money and no deal. A deal whose opening is not reported counts
--         as opened when it was won or lost.
-- columns:
--   window_start           first day of the window
--   opened                 deals opened in the window
--   opened_without_lead    of those, how many have no lead
--   amount                 what the opened deals are worth, in the goals' currency (decimal)
--   amount_without_lead    of that, what deals without a lead are worth (decimal)
--   unpriced               opened deals without an amount, or in a currency without a rate
--   won                    deals won in the window
--   won_without_lead       of those, how many have no lead
--   booked                 what was booked in the window, in the goals' currency (decimal)
--   booked_without_lead    of that, what deals without a lead booked (decimal)
--   booked_unpriced        won deals whose booking has no amount, or a currency without a rate
--   currency               the goals' currency
with
deal as materialized (
    select lead_id is null as has_no_lead, coalesce(opened_at, closed_at) as opened_at, closed_at, status, amount,
        booked
    from funnel.opportunity_amount
),
counted as (
    select opened_at as counted_at, true as is_opening, false as is_win, has_no_lead, amount,
        null::decimal(38,2) as booked
    from deal
    where status <> 'credit'
    union all
    select closed_at, false, status = 'won', has_no_lead, null, booked from deal where status in ('won', 'credit')
)
select
    window_of(counted_at at time zone zone, window_unit, week_begins) as window_start,
    count(*) filter (where is_opening) as opened,
    count(*) filter (where is_opening and has_no_lead) as opened_without_lead,
    coalesce(sum(amount), 0)::decimal(38,2) as amount,
    coalesce(sum(amount) filter (where has_no_lead), 0)::decimal(38,2) as amount_without_lead,
    count(*) filter (where is_opening and amount is null) as unpriced,
    count(*) filter (where is_win) as won,
    count(*) filter (where is_win and has_no_lead) as won_without_lead,
    coalesce(sum(booked), 0)::decimal(38,2) as booked,
    coalesce(sum(booked) filter (where has_no_lead), 0)::decimal(38,2) as booked_without_lead,
    count(*) filter (where not is_opening and booked is null) as booked_unpriced,
    currency
from counted
cross join playbook.version
where counted_at is not null
group by all
order by window_start
