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
lead_stage as materialized (
    select lead_id, pass, position, entered_at, outcome, is_clock_suspect or is_inferred as is_untimed
    from funnel.lead_stage
),
undecided as (
    select lead_id, pass from lead_stage where outcome = 'still_there'
),
pair as (
    select
        earlier.position as from_position, later.position as to_position, earlier.entered_at,
        reached.entered_at as converted_at,
        not earlier.is_untimed and not reached.is_untimed as is_timed,
        converted_at is null and undecided.lead_id is not null as is_undecided
    from lead_stage as earlier
    join playbook.stage as later on later.position > earlier.position
    left join lead_stage as reached
        on reached.lead_id = earlier.lead_id and reached.pass = earlier.pass and reached.position = later.position
    left join undecided on undecided.lead_id = earlier.lead_id and undecided.pass = earlier.pass
)
select
    from_position,
    earlier.stage as from_stage,
    to_position,
    later.stage as to_stage,
    window_of(entered_at at time zone version.zone, version.window_unit, version.week_begins) as window_start,
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
