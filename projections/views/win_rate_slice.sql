-- view:   win_rate_slice
-- grain:  one row per slice and window in which deals of leads of the slice were opened, won or lost
-- key:    dimension, value, window_unit, window_start
-- reads:  funnel.deal, funnel.opportunity_amount, funnel.lead_slice, playbook.dimension, playbook.window_unit,
--         playbook.version
-- says:   which share of the deals is won, counted and in money, by source, campaign, segment, owner and so on, in
--         windows of any unit
-- means:  Counted as in win_rate, which is the slice all by month, quarter and year. A deal belongs to the lead that counts
--         it; without a lead its dimensions are unknown.
-- columns:
--   dimension                what it is sliced by: a column of lead_dimension, or all
--   value                    the value of that dimension; all for all
--   window_unit              day, week, month, quarter, fiscal_quarter, year or all
--   window_start             first day of the window; null for all
--   opened                   deals opened in it
--   won                      of those, won by now
--   lost                     of those, lost by now
--   still_open               of those, neither
--   win_rate                 won / (won + lost); null while none is decided
--   won_amount               booked with those won, in the goals' currency (decimal)
--   lost_amount              amounts of those lost (decimal)
--   open_amount              amounts of those still open (decimal)
--   amount_win_rate          won_amount / (won_amount + lost_amount)
--   won_in_period            deals won in it
--   lost_in_period           deals lost in it
--   in_period_win_rate       won_in_period / (won_in_period + lost_in_period)
--   won_amount_in_period     booked with those won in it (decimal)
--   lost_amount_in_period    amounts of those lost in it (decimal)
--   in_period_amount_rate    won_amount_in_period / (won_amount_in_period + lost_amount_in_period)
--   median_cycle_days        median days from the opening to the win, of those won in it
--   p90_cycle_days           days within which nine in ten of them were won
--   unpriced                 deals opened in it without an amount or with one that has no rate: in no sum
--   unpriced_in_period       deals decided in it without an amount or with one that has no rate: in no sum
--   currency                 the goals' currency, ISO 4217
--   n                        of the deals opened in it, those decided
--   is_enough                true when n reaches the playbook's minimum
--   playbook_version         the playbook whose zone, rates and minimum these are
with
deal as (
    select deal.lead_id, deal.status, deal.opened_at, deal.closed_at, deal.first_at,
        case when deal.status = 'won' then exact_booked else exact_amount end as worth
    from funnel.deal as deal
    join funnel.opportunity_amount as amount using (opportunity_id)
    where deal.status <> 'credit'
),
-- A deal counts once when it is opened, and once when it is decided.
counted as (
    select lead_id, status as fate, first_at as counted_at, worth, worth is null as is_unpriced from deal
    union all by name
    select lead_id, status as decision, closed_at as counted_at, worth, worth is null as is_unpriced,
        case when status = 'won' then epoch_us(closed_at) - epoch_us(opened_at) end as cycle_us
    from deal
    where status <> 'open'
),
slice as (
    select
        dimension,
        dimension_value(dimension, value) as value,
        window_unit,
        window_of(counted_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
            as window_start,
        count(fate) as opened,
        count(*) filter (where fate = 'won') as won,
        count(*) filter (where fate = 'lost') as lost,
        count(*) filter (where fate = 'open') as still_open,
        coalesce(cents(sum(worth) filter (where fate = 'won')), 0)::decimal(38,2) as won_amount,
        coalesce(cents(sum(worth) filter (where fate = 'lost')), 0)::decimal(38,2) as lost_amount,
        coalesce(cents(sum(worth) filter (where fate = 'open')), 0)::decimal(38,2) as open_amount,
        count(*) filter (where decision = 'won') as won_in_period,
        count(*) filter (where decision = 'lost') as lost_in_period,
        coalesce(cents(sum(worth) filter (where decision = 'won')), 0)::decimal(38,2) as won_amount_in_period,
        coalesce(cents(sum(worth) filter (where decision = 'lost')), 0)::decimal(38,2) as lost_amount_in_period,
        quantile_cont(cycle_us, 0.5) / 86400000000 as median_cycle_days,
        quantile_cont(cycle_us, 0.9) / 86400000000 as p90_cycle_days,
        count(*) filter (where fate is not null and is_unpriced) as unpriced,
        count(*) filter (where decision is not null and is_unpriced) as unpriced_in_period,
        currency,
        minimum_n,
        playbook_version
    from counted
    cross join playbook.dimension
    left join funnel.lead_slice using (lead_id, dimension)
    cross join playbook.window_unit
    cross join (select currency, minimum_n, playbook_version from playbook.version)
    group by all
)
select
    dimension,
    value,
    window_unit,
    window_start,
    opened,
    won,
    lost,
    still_open,
    won / nullif(won + lost, 0) as win_rate,
    won_amount,
    lost_amount,
    open_amount,
    won_amount::double / nullif((won_amount + lost_amount)::double, 0) as amount_win_rate,
    won_in_period,
    lost_in_period,
    won_in_period / nullif(won_in_period + lost_in_period, 0) as in_period_win_rate,
    won_amount_in_period,
    lost_amount_in_period,
    won_amount_in_period::double / nullif((won_amount_in_period + lost_amount_in_period)::double, 0)
        as in_period_amount_rate,
    median_cycle_days,
    p90_cycle_days,
    unpriced,
    unpriced_in_period,
    currency,
    won + lost as n,
    n >= minimum_n as is_enough,
    playbook_version
from slice
