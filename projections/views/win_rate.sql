-- view:   win_rate
-- grain:  one row per month, quarter or year in which deals were opened, won or lost
-- key:    unit, starts_on
-- reads:  funnel.win_rate_slice
-- says:   which share of the deals is won, counted and in money: of those opened in the period, and of those decided in
--         it
-- means:  Cohort: of the deals opened in the period, won / (won + lost), with the open ones apart; opened = won + lost +
--         still_open. In-period: of the deals won or lost in the period, whenever opened. Both have the lost in the
--         denominator. In money a won deal counts with what was booked, another with the amount it was last given.
--         A deal without a reported opening is of the period in which it was first reported. Credits are no deals
--         and in no rate. Cycle time is from the opening to the win, over the deals won in the period. Days are cut
--         in the playbook's zone. By dimension, and in other windows: win_rate_slice.
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
select window_unit as unit, window_start as starts_on, unit_to(window_unit, window_start) as ends_on,
    slice.* exclude (dimension, value, window_unit, window_start)
from funnel.win_rate_slice as slice
where dimension = 'all' and window_unit in ('month', 'quarter', 'year')
order by unit, starts_on
