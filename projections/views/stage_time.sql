-- view:   stage_time
-- grain:  one row per stage but the last, and window in which a pass entered it
-- key:    stage, window_start
-- reads:  funnel.lead_stage, playbook.stage, playbook.version
-- says:   how long passes stayed in each stage: those that left it, and the age of those still there
-- means:  A stay ends when the pass advances, is lost, returned or handed elsewhere; see funnel_stage. Stays that
--         have not ended are no part of the median and the percentile: their age is shown beside it. A stage that was
--         skipped was not stayed in, and a stay at whose ends the clocks disagree is not timed: both are left out and
--         counted. Days are elapsed days of 24 hours.
-- columns:
--   position            order of the stage
--   stage               the stage, by the playbook's name
--   window_start        first day of the window in which it was entered
--   settled             stays that ended
--   median_days         median of those stays
--   p90_days            nine in ten of them took no longer
--   still_there         stays that have not ended
--   median_age_days     median age of those by as-of
--   oldest_age_days     age of the oldest
--   skipped             passes that skipped the stage
--   clock_suspect       stays at whose ends the clocks disagree
--   playbook_version    the playbook whose stages these are
with
stay as (
    select
        *,
        is_clock_suspect or coalesce(lead(is_clock_suspect) over passes, false) as has_suspect_clock,
        not is_inferred and not has_suspect_clock as is_timed,
        case when left_at is null then greatest(0, epoch_us($as_of) - epoch_us(entered_at)) end as age_us
    from funnel.lead_stage
    window passes as (partition by lead_id, pass order by position)
)
select
    position,
    stage,
    window_of(entered_at at time zone version.zone, version.window_unit, version.week_begins) as window_start,
    count(left_at) filter (where is_timed) as settled,
    quantile_cont(epoch_us(left_at) - epoch_us(entered_at), 0.5) filter (where is_timed) / 86400000000 as median_days,
    quantile_cont(epoch_us(left_at) - epoch_us(entered_at), 0.9) filter (where is_timed) / 86400000000 as p90_days,
    count(*) filter (where is_timed and left_at is null) as still_there,
    quantile_cont(age_us, 0.5) filter (where is_timed) / 86400000000 as median_age_days,
    max(age_us) filter (where is_timed) / 86400000000 as oldest_age_days,
    count(*) filter (where is_inferred) as skipped,
    count(*) filter (where has_suspect_clock and not is_inferred) as clock_suspect,
    any_value(playbook_version) as playbook_version
from stay
cross join playbook.version as version
where position < (select max(position) from playbook.stage)
group by all
order by position, window_start
