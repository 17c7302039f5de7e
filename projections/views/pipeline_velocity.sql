-- view:   pipeline_velocity
-- grain:  one row per segment with a deal that is open, or was opened in the cohort
-- key:    segment
-- reads:  funnel.pipeline_velocity_slice
-- says:   how much revenue the open deals of a segment bring a day, as deals of late were won
-- means:  Velocity per day = open deals x median deal x cohort win rate / median cycle days, the usual form, with
--         medians for means. An opened deal is a qualified opportunity: Sales opened it. The cohort is the deals
--         opened in the playbook's cohort time before as-of; its win rate is won / (won + lost), its median deal what
--         the won ones booked, its cycle their days from the opening to the win. Segments are not mixed: a segment
--         is the sales region of the deal's lead, unknown without one; there is no row for all of them. Credits are
--         no deals. By other dimensions: pipeline_velocity_slice.
-- columns:
--   segment            the sales region, or unknown
--   open_deals         deals that are open
--   median_amount      median booked amount of the cohort's won deals, in the goals' currency (decimal)
--   win_rate           of the cohort, won / (won + lost)
--   median_cycle_days  median days from the opening to the win of the cohort's won deals
--   velocity_per_day   revenue a day, in the goals' currency; null when one of these is unknown
--   unpriced           won deals of the cohort without an amount or with one that has no rate: not in the median
--   currency           the goals' currency, ISO 4217
--   n                  decided deals of the cohort
--   is_enough          true when n reaches the playbook's minimum
--   playbook_version   the playbook whose cohort time, rates and minimum these are
select value as segment, slice.* exclude (dimension, value)
from funnel.pipeline_velocity_slice as slice
where dimension = 'region'
order by segment
