-- view:   handoff_pair
-- grain:  one row per pair of teams that hand leads over
-- key:    from_team, to_team
-- reads:  funnel.handoff_pair_slice
-- says:   how fast one team answers another, with how many cases, and how often its promise was missed
-- means:  By dimension and window: handoff_pair_slice.
-- columns:
--   from_team         the team that offers
--   to_team           the team that answers
--   offered           handoffs offered
--   n                 handoffs answered, with clocks that agree: the cases the percentiles rest on
--   p50_minutes       median business minutes from offer to answer
--   p90_minutes       90th percentile of the same
--   p95_minutes       95th percentile of the same
--   p50_elapsed       median wall-clock minutes, the buyer's own experience
--   clock_suspect     handoffs whose clocks disagree; kept, counted here, left out of the rest
--   sla_judged        handoffs under an answer SLA whose clocks agree, without those that lapsed or became moot
--   sla_due           of those, ever missed, even if answered since
--   sla_past_due      of those, expired and still open: in the state past_due, or not_arrived and the time is up too
--   sla_kept_share    share of those judged that are not due
select * exclude (dimension, value, window_unit, window_start)
from funnel.handoff_pair_slice
where dimension = 'all' and window_unit = 'all'
order by offered desc
