-- view:   stage_conversion
-- grain:  one row per stage, later stage, and window in which a pass entered the first of the two
-- key:    from_stage, to_stage, window_start
-- reads:  funnel.lead_stage, playbook.stage, playbook.version
-- says:   of the passes that entered a stage in a window, how many ever reached a later one, next or not, how soon, and
--         how many may still do so
-- means:  Counted as in funnel_stage: passes, by the window in which they entered the first stage. Undecided are those
--         that have not converted and are still in the funnel; the others ended before: lost, returned or elsewhere.
--         Within k days means no more than k times 24 hours. Days are elapsed days. The median is over those
--         that converted and entered both stages themselves, by clocks that agree.
-- columns:
--   from_position             order of the stage they entered
--   from_stage                the stage they entered
--   to_position               order of the later stage
--   to_stage                  the later stage
--   window_start              first day of the window
--   entered                   passes that entered the stage in the window
--   converted                 of those, how many ever reached the later stage
--   converted_within_7_days   of those who entered, how many reached it no later than 7 days after
--   converted_within_14_days  the same within 14 days
--   converted_within_30_days  the same within 30 days
--   converted_within_90_days  the same within 90 days
--   undecided                 of those who entered, how many have not reached it and are still in the funnel
--   conversion_rate           converted / entered
--   median_days               median days from the one to the other; null without any
--   timed                     conversions that the median is over
--   playbook_version          the playbook whose stages these are
with
-- Of each pass the stages it entered, and whether it is in the funnel still.
pass as (
    select
        list({
            'position': position, 'entered_at': entered_at, 'is_timed': not is_clock_suspect and not is_inferred,
            'window_start': window_of(entered_at at time zone zone, window_unit, week_begins)
        }) as stages,
        bool_or(outcome = 'still_there') as is_undecided
    from funnel.lead_stage
    cross join playbook.version
    group by lead_id, pass
),
entry as (
    select unnest(stages) as earlier, stages, is_undecided from pass
),
later_entry as (
    select
        earlier, later.position as to_position, is_undecided,
        list_filter(stages, lambda entered: entered.position = later.position)[1] as reached
    from entry
    join playbook.stage as later on later.position > earlier.position
),
pair as (
    select
        earlier.position as from_position, to_position, earlier.window_start as window_start,
        earlier.entered_at as entered_at,
        reached.entered_at as converted_at,
        earlier.is_timed and reached.is_timed as is_timed,
        reached is null and is_undecided as is_undecided
    from later_entry
)
select
    from_position,
    earlier.stage as from_stage,
    to_position,
    later.stage as to_stage,
    window_start,
    count(*) as entered,
    count(converted_at) as converted,
    count(*) filter (where converted_at <= entered_at + interval 168 hours) as converted_within_7_days,
    count(*) filter (where converted_at <= entered_at + interval 336 hours) as converted_within_14_days,
    count(*) filter (where converted_at <= entered_at + interval 720 hours) as converted_within_30_days,
    count(*) filter (where converted_at <= entered_at + interval 2160 hours) as converted_within_90_days,
    count(*) filter (where is_undecided) as undecided,
    count(converted_at) / count(*) as conversion_rate,
    quantile_cont(epoch_us(converted_at) - epoch_us(entered_at), 0.5) filter (where is_timed) / 86400000000 as median_days,
    count(*) filter (where is_timed) as timed,
    any_value(playbook_version) as playbook_version
from pair
join playbook.stage as earlier on earlier.position = from_position
join playbook.stage as later on later.position = to_position
cross join playbook.version as version
group by all
order by from_position, to_position, window_start
