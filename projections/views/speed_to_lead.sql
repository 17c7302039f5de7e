-- view:   speed_to_lead
-- grain:  one row per slice and window with an unanswered signal of a buyer whose lead was then handed over
-- key:    dimension, value, window_unit, window_start
-- reads:  funnel.handoff_latency, funnel.lead_slice, playbook.dimension, playbook.window_unit
-- says:   how long buyers wait from their first unanswered signal to the first human attempt to reach them, by source,
--         campaign, segment, owner and so on, in windows of any unit
-- means:  The signal is the first inbound one before an offer that no human had answered (handoff_latency, signal_at); a
--         signal that is offered several times counts once, with its earliest attempt and contact. Minutes are
--         wall-clock minutes, as the buyer feels them. A logged call or a sent e-mail is an attempt; contact is two-way.
--         Signals belong to the window in which they came. The counts of a dimension add up to all.
-- columns:
--   dimension           what it is sliced by: a column of lead_dimension, or all
--   value               the value of that dimension; all for all
--   window_unit         day, week, month, quarter, fiscal_quarter, year or all
--   window_start        first day of the window; null for all
--   signals             signals of buyers that were followed by an offer
--   attempted           of those, followed by a human attempt: the cases the percentiles rest on
--   within_5_minutes    of those, attempted in less than 5 minutes
--   within_15_minutes   the same in less than 15 minutes
--   within_60_minutes   the same in less than 60 minutes
--   reached             signals followed by two-way contact
--   waiting             signals without any of the two
--   clock_suspect       signals with an attempt or contact before them: the clocks disagree; left out of the rest
--   p50_minutes         median minutes from the signal to the first human attempt
--   p90_minutes         90th percentile of the same
--   p95_minutes         95th percentile of the same
--   p50_contact_minutes median minutes from the signal to two-way contact
with
signal as (
    select lead_id, signal_at,
        min(first_attempt_at) as attempted_at,
        min(reached_at) as contacted_at,
        coalesce(least(attempted_at, contacted_at) < signal_at, false) as is_clock_suspect
    from funnel.handoff_latency
    where signal_at is not null
    group by lead_id, signal_at
),
timed as (
    select lead_id, signal_at, is_clock_suspect,
        case when not is_clock_suspect then epoch_us(attempted_at) - epoch_us(signal_at) end as attempt_us,
        case when not is_clock_suspect then epoch_us(contacted_at) - epoch_us(signal_at) end as contact_us
    from signal
)
select
    dimension,
    dimension_value(dimension, value) as value,
    window_unit,
    window_of(signal_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
        as window_start,
    count(*) as signals,
    count(attempt_us) as attempted,
    count(*) filter (where attempt_us < 300000000) as within_5_minutes,
    count(*) filter (where attempt_us < 900000000) as within_15_minutes,
    count(*) filter (where attempt_us < 3600000000) as within_60_minutes,
    count(contact_us) as reached,
    count(*) filter (where not is_clock_suspect and attempt_us is null and contact_us is null) as waiting,
    count(*) filter (where is_clock_suspect) as clock_suspect,
    quantile_cont(attempt_us, 0.5) / 60000000 as p50_minutes,
    quantile_cont(attempt_us, 0.9) / 60000000 as p90_minutes,
    quantile_cont(attempt_us, 0.95) / 60000000 as p95_minutes,
    quantile_cont(contact_us, 0.5) / 60000000 as p50_contact_minutes
from timed
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
group by all
