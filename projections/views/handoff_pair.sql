-- view:   handoff_pair
-- grain:  one row per pair of teams that hand leads over
-- key:    from_team, to_team
-- reads:  funnel.handoff_latency, funnel.handoff_sla
-- says:   how fast one team answers another, with how many cases, and how often its promise was missed
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
with
latency as (
    select
        from_team, to_team,
        count(*) as offered,
        count(*) filter (where answered_at is not null and not is_clock_suspect) as n,
        quantile_cont(business_minutes, [0.5, 0.9, 0.95]) filter (where not is_clock_suspect) as minutes,
        quantile_cont(elapsed_minutes, 0.5) filter (where not is_clock_suspect) as p50_elapsed,
        count(*) filter (where is_clock_suspect) as clock_suspect
    from funnel.handoff_latency
    group by from_team, to_team
),
sla as (
    select
        from_team, to_team,
        count(*) filter (where not is_clock_suspect and outcome not in ('lapsed', 'moot')) as sla_judged,
        count(*) filter (where is_due) as sla_due,
        count(*) filter (where is_past_due) as sla_past_due
    from funnel.handoff_sla
    where sla = 'answer'
    group by from_team, to_team
)
select
    latency.from_team,
    latency.to_team,
    offered,
    n,
    minutes[1] as p50_minutes,
    minutes[2] as p90_minutes,
    minutes[3] as p95_minutes,
    p50_elapsed,
    clock_suspect,
    coalesce(sla_judged, 0) as sla_judged,
    coalesce(sla_due, 0) as sla_due,
    coalesce(sla_past_due, 0) as sla_past_due,
    1 - sla_due / nullif(sla_judged, 0) as sla_kept_share
from latency
left join sla using (from_team, to_team)
order by offered desc
