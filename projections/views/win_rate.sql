-- view:   win_rate
-- grain:  one row per month, quarter or year in which deals were opened, won or lost
-- key:    unit, starts_on
-- reads:  funnel.deal, funnel.opportunity_amount, playbook.version
-- says:   which share of the deals is won, counted and in money: of those opened in the period, and of those decided in
--         it
-- means:  Cohort: of the deals opened in the period, won / (won + lost), with the open ones apart; opened = won + lost +
--         still_open. In-period: of the deals won or lost in the period, whenever opened. Both have the lost in the
--         denominator. In money a won deal counts with what was booked, another with the amount it was last given.
--         A deal without a reported opening is of the period in which it was first reported. Credits are no deals
--         and in no rate. Cycle time is from the opening to the win, over the deals won in the period. Days are cut
--         in the playbook's zone.
-- columns:
--   unit                     month, quarter or year
--   starts_on                first day of the period
--   ends_on                  its last day
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
    select deal.status, deal.opened_at, deal.closed_at, week_begins,
        (deal.first_at at time zone zone)::date as opened_on,
        (deal.closed_at at time zone zone)::date as closed_on,
        case when deal.status = 'won' then exact_booked else exact_amount end as worth
    from funnel.deal as deal
    join funnel.opportunity_amount as amount using (opportunity_id)
    cross join playbook.version
    where deal.status <> 'credit'
),
unit(unit) as (values ('month'), ('quarter'), ('year')),
opened as (
    select unit, window_of(opened_on, unit, week_begins) as starts_on,
        count(*) as opened,
        count(*) filter (where status = 'won') as won,
        count(*) filter (where status = 'lost') as lost,
        count(*) filter (where status = 'open') as still_open,
        coalesce(cents(sum(worth) filter (where status = 'won')), 0) as won_amount,
        coalesce(cents(sum(worth) filter (where status = 'lost')), 0) as lost_amount,
        coalesce(cents(sum(worth) filter (where status = 'open')), 0) as open_amount,
        count(*) - count(worth) as unpriced
    from deal
    cross join unit
    group by all
),
closed as (
    select unit, window_of(closed_on, unit, week_begins) as starts_on,
        count(*) filter (where status = 'won') as won_in_period,
        count(*) filter (where status = 'lost') as lost_in_period,
        coalesce(cents(sum(worth) filter (where status = 'won')), 0) as won_amount_in_period,
        coalesce(cents(sum(worth) filter (where status = 'lost')), 0) as lost_amount_in_period,
        count(*) - count(worth) as unpriced_in_period,
        list(epoch_us(closed_at) - epoch_us(opened_at)) filter (where status = 'won') as cycles_us
    from deal
    cross join unit
    where status <> 'open'
    group by all
)
select
    unit,
    starts_on,
    unit_to(unit, starts_on) as ends_on,
    coalesce(opened, 0) as opened,
    coalesce(won, 0) as won,
    coalesce(lost, 0) as lost,
    coalesce(still_open, 0) as still_open,
    won / nullif(won + lost, 0) as win_rate,
    coalesce(won_amount, 0)::decimal(38,2) as won_amount,
    coalesce(lost_amount, 0)::decimal(38,2) as lost_amount,
    coalesce(open_amount, 0)::decimal(38,2) as open_amount,
    won_amount::double / nullif((won_amount + lost_amount)::double, 0) as amount_win_rate,
    coalesce(won_in_period, 0) as won_in_period,
    coalesce(lost_in_period, 0) as lost_in_period,
    won_in_period / nullif(won_in_period + lost_in_period, 0) as in_period_win_rate,
    coalesce(won_amount_in_period, 0)::decimal(38,2) as won_amount_in_period,
    coalesce(lost_amount_in_period, 0)::decimal(38,2) as lost_amount_in_period,
    won_amount_in_period::double / nullif((won_amount_in_period + lost_amount_in_period)::double, 0)
        as in_period_amount_rate,
    list_aggregate(cycles_us, 'quantile_cont', 0.5) / 86400000000 as median_cycle_days,
    list_aggregate(cycles_us, 'quantile_cont', 0.9) / 86400000000 as p90_cycle_days,
    coalesce(unpriced, 0) as unpriced,
    coalesce(unpriced_in_period, 0) as unpriced_in_period,
    currency,
    coalesce(won + lost, 0) as n,
    coalesce(won + lost, 0) >= minimum_n as is_enough,
    playbook_version
from opened
full join closed using (unit, starts_on)
cross join playbook.version
order by unit, starts_on
