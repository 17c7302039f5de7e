-- view:   funnel_stage_slice
-- grain:  one row per slice, window and stage in which a pass of a lead of the slice entered it or advanced from it
-- key:    dimension, value, window_unit, window_start, stage
-- reads:  funnel.lead_stage, funnel.lead_slice, playbook.dimension, playbook.window_unit, playbook.stage,
--         playbook.version
-- says:   the shared funnel by source, campaign, segment, owner and so on, in windows of any unit
-- means:  Counted as in funnel_stage, which is the slice all in the playbook's windows. The values of a dimension add up
--         to all. Ask for one dimension and one unit (where dimension = 'region' and window_unit = 'week'): the
--         others are then not computed.
-- columns:
--   dimension           what it is sliced by: a column of lead_dimension, or all
--   value               the value of that dimension; all for all
--   window_unit         day, week, month, quarter, fiscal_quarter, year or all
--   window_start        first day of the window; null for all
--   is_playbook_window  true for the unit that the playbook groups the funnel by
--   position            order of the stage
--   stage               the stage, by the playbook's name
--   buyer_step          where the buyer stands then, in the playbook's words
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
with
counted as (
    select
        lead_id, position, entered_on as counted_on, true as is_entry, outcome, is_inferred, is_clock_suspect,
        epoch_us(advanced_at) - epoch_us(entered_at) as advanced_within_us
    from funnel.lead_stage
    union all by name
    select lead_id, position, advanced_on as counted_on, false as is_entry
    from funnel.lead_stage
    where advanced_on is not null
),
day_count as (
    select
        dimension, dimension_value(dimension, value) as value, position,
        counted_on,
        count(*) filter (where is_entry) as entered,
        count(*) filter (where is_inferred) as inferred,
        count(*) filter (where outcome = 'advanced') as advanced,
        count(*) filter (where advanced_within_us <= 604800000000) as advanced_within_7_days,
        count(*) filter (where advanced_within_us <= 1209600000000) as advanced_within_14_days,
        count(*) filter (where advanced_within_us <= 2592000000000) as advanced_within_30_days,
        count(*) filter (where advanced_within_us <= 7776000000000) as advanced_within_90_days,
        count(*) filter (where outcome = 'lost') as lost,
        count(*) filter (where outcome = 'returned') as returned,
        count(*) filter (where outcome = 'elsewhere') as elsewhere,
        count(*) filter (where outcome = 'still_there') as still_there,
        count(*) filter (where not is_entry) as advanced_in_period,
        count(*) filter (where is_clock_suspect) as clock_suspect
    from counted
    cross join playbook.dimension
    left join funnel.lead_slice using (lead_id, dimension)
    group by all
),
window_count as (
    select
        dimension, value, window_unit,
        window_of(counted_on, window_unit, week_begins, fiscal_year_begins) as window_start,
        is_playbook_window, position,
        sum(columns(day_count.* exclude (dimension, value, position, counted_on)))::bigint
    from day_count
    cross join playbook.window_unit
    group by all
)
select
    dimension,
    value,
    window_unit,
    window_start,
    is_playbook_window,
    position,
    stage,
    buyer_step,
    window_count.* exclude (dimension, value, window_unit, window_start, is_playbook_window, position),
    advanced / convertible as cohort_rate,
    advanced_in_period / convertible as in_period_rate,
    still_there / convertible as open_rate,
    playbook_version
from window_count
join playbook.stage using (position)
cross join (select playbook_version from playbook.version)
-- From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
cross join lateral (
    select case when position < (select max(position) from playbook.stage) then nullif(entered, 0) end as convertible
)
