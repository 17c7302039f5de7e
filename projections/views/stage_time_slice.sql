-- view:   stage_time_slice
-- grain:  one row per slice, window and stage but the last that a pass of a lead of the slice entered in the window
-- key:    dimension, value, window_unit, window_start, stage
-- reads:  funnel.lead_stage, funnel.lead_slice, playbook.dimension, playbook.window_unit, playbook.stage,
--         playbook.version
-- says:   how long passes stayed in each stage, by source, campaign, segment, owner and so on, in windows of any unit
-- means:  Counted as in stage_time, which is the slice all in the playbook's windows.
-- columns:
--   dimension           what it is sliced by: a column of lead_dimension, or all
--   value               the value of that dimension; all for all
--   window_unit         day, week, month, quarter, fiscal_quarter, year or all
--   window_start        first day of the window; null for all
--   is_playbook_window  true for the unit that the playbook groups the funnel by
--   position            order of the stage
--   stage               the stage, by the playbook's name
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
    dimension,
    dimension_value(dimension, value) as value,
    window_unit,
    window_of(entered_on, window_unit, week_begins, fiscal_year_begins) as window_start,
    is_playbook_window,
    position,
    stage,
    count(left_at) filter (where is_timed) as settled,
    quantile_cont(epoch_us(left_at) - epoch_us(entered_at), 0.5) filter (where is_timed) / 86400000000 as median_days,
    quantile_cont(epoch_us(left_at) - epoch_us(entered_at), 0.9) filter (where is_timed) / 86400000000 as p90_days,
    count(*) filter (where is_timed and left_at is null) as still_there,
    quantile_cont(age_us, 0.5) filter (where is_timed) / 86400000000 as median_age_days,
    max(age_us) filter (where is_timed) / 86400000000 as oldest_age_days,
    count(*) filter (where is_inferred) as skipped,
    count(*) filter (where has_suspect_clock and not is_inferred) as clock_suspect,
    playbook_version
from stay
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
cross join (select playbook_version from playbook.version)
where position < (select max(position) from playbook.stage)
group by all
