-- view:   funnel_stage
-- grain:  one row per stage and window in which a pass of a lead entered it or advanced from it
-- key:    stage, window_start
-- reads:  funnel.funnel_stage_slice
-- says:   the shared funnel: of the passes that entered a stage in a window, how many advanced, were lost, were
--         returned, were handed elsewhere, or are still there; entered is always their sum
-- means:  Counted are passes, the ways of leads through the funnel (see lead_pass): a lead that was lost and comes back
--         is counted again, in the window in which it does. A pass that has not advanced is lost when it ended with
--         a loss or a disqualification. It is returned when a handoff of it was given back and none is live (see
--         handoff_live_period) and no deal open; a duplicate that is given back does not outweigh the lead that is
--         worked. Elsewhere are the others whose latest offer went to a team the playbook does not know, such as a
--         partner: they left this funnel and are neither lost nor waiting in it. Merged leads are one lead. A win
--         or a loss is that of the deal's lead, by the deal's last outcome. Within k days means no more than k times
--         24 hours after the entry. What is reported before the lead was captured counts as of the capture. By dimension,
--         and in other windows: funnel_stage_slice.
-- columns:
--   position            order of the stage
--   stage               the stage, by the playbook's name
--   buyer_step          where the buyer stands then, in the playbook's words
--   window_start        first day of the window
--   entered             passes that entered the stage in the window
--   inferred            of those, how many skipped the stage and are counted by the next one they reached
--   advanced            of those who entered, how many ever reached the next stage
--   advanced_within_7_days   of those who entered, how many reached the next stage no later than 7 days after
--   advanced_within_14_days  the same within 14 days
--   advanced_within_30_days  the same within 30 days
--   advanced_within_90_days  the same within 90 days
--   lost                of those who entered, how many were lost here
--   returned            of those who entered, how many were given back, and nobody has them
--   elsewhere           of those who entered, how many were handed to a team outside this funnel
--   still_there         of those who entered, how many are undecided; never counted as lost
--   advanced_in_period  passes that advanced from the stage in the window, whenever they entered
--   clock_suspect       of those who entered, how many did so before the lead was captured, by the clock of the source
--   cohort_rate         advanced / entered: of this cohort, the share that ever advanced; null for the last stage
--   in_period_rate      advanced_in_period / entered: advances and entries of the same window; null for the last stage
--   open_rate           still_there / entered: the share still undecided; null for the last stage
--   playbook_version    the playbook whose stages these are
select position, stage, buyer_step, window_start,
    slice.* exclude (dimension, value, window_unit, window_start, is_playbook_window, position, stage, buyer_step)
from funnel.funnel_stage_slice as slice
where dimension = 'all' and is_playbook_window
order by position, window_start
