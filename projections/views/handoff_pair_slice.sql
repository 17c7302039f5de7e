-- view:   handoff_pair_slice
-- grain:  one row per slice, window and pair of teams with a handoff of a lead of the slice offered in the window
-- key:    dimension, value, window_unit, window_start, from_team, to_team
-- reads:  funnel.handoff_latency, funnel.handoff_sla, funnel.lead_slice, playbook.dimension, playbook.window_unit
-- says:   how fast one team answers another, by source, campaign, segment, owner and so on, in windows of any unit
-- means:  Counted as in handoff_pair, which is the slice all over all windows. A handoff belongs to the lead that was
--         offered, and to the window of its offer. The counts of a dimension add up to all.
-- columns:
--   dimension         what it is sliced by: a column of lead_dimension, or all
--   value             the value of that dimension; all for all
--   window_unit       day, week, month, quarter, fiscal_quarter, year or all
--   window_start      first day of the window; null for all
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
select
    dimension,
    value,
    window_unit,
    window_start,
    from_team,
    to_team,
    offered,
    n,
    business[1] as p50_minutes,
    business[2] as p90_minutes,
    business[3] as p95_minutes,
    p50_elapsed,
    clock_suspect,
    sla_judged,
    sla_due,
    sla_past_due,
    1 - sla_due / nullif(sla_judged, 0) as sla_kept_share
from (
    select
        dimension,
        dimension_value(dimension, value) as value,
        window_unit,
        window_of(offered_on, window_unit, week_begins, fiscal_year_begins) as window_start,
        latency.from_team,
        latency.to_team,
        count(*) as offered,
        count(*) filter (where answered_at is not null and not latency.is_clock_suspect) as n,
        -- All percentiles of one sorted list, not each of its own.
        quantile_cont(business_minutes, [0.5, 0.9, 0.95]) filter (where not latency.is_clock_suspect) as business,
        quantile_cont(elapsed_minutes, 0.5) filter (where not latency.is_clock_suspect) as p50_elapsed,
        count(*) filter (where latency.is_clock_suspect) as clock_suspect,
        count(*) filter (where not owed.is_clock_suspect and outcome not in ('lapsed', 'moot')) as sla_judged,
        count(*) filter (where is_due) as sla_due,
        count(*) filter (where is_past_due) as sla_past_due
    from funnel.handoff_latency as latency
    left join funnel.handoff_sla as owed on owed.handoff_id = latency.handoff_id and sla = 'answer'
    cross join playbook.dimension
    left join funnel.lead_slice using (lead_id, dimension)
    cross join playbook.window_unit
    group by all
)
