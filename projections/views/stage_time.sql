-- view:   stage_time
-- grain:  one row per stage but the last, and window in which a pass entered it
-- key:    stage, window_start
-- reads:  funnel.stage_time_slice
-- says:   how long passes stayed in each stage: those that left it, and the age of those still there
-- means:  A stay ends when the pass advances, is lost, returned or handed elsewhere; see funnel_stage. Stays that
--         have not ended are no part of the median and the percentile: their age is shown beside it. A stage that was
--         skipped was not stayed in, and a stay at whose ends the clocks disagree is not timed: both are left out and
--         counted. Days are elapsed days of 24 hours. By dimension, and in other windows: stage_time_slice.
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
select position, stage, window_start,
    slice.* exclude (dimension, value, window_unit, window_start, is_playbook_window, position, stage)
from funnel.stage_time_slice as slice
where dimension = 'all' and is_playbook_window
order by position, window_start
