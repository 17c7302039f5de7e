-- view:   sla_kept
-- grain:  one row per slice, window, SLA and team that owed it on a lead of the slice
-- key:    dimension, value, window_unit, window_start, sla, owed_by
-- reads:  funnel.obligation_clock, funnel.lead_slice, playbook.dimension, playbook.window_unit
-- says:   how often each side keeps what it owes the other, by source, campaign, segment, owner and so on, in windows of
--         any unit
-- means:  Counted are obligations, each time one was owed (see obligation), in the window in which it began. Of those whose
--         clocks agree, met + missed + open + lapsed + moot is all. Judged are met, missed and open; kept is what was
--         not missed. The counts of a dimension add up to all.
-- columns:
--   dimension      what it is sliced by: a column of lead_dimension, or all
--   value          the value of that dimension; all for all
--   window_unit    day, week, month, quarter, fiscal_quarter, year or all
--   window_start   first day of the window; null for all
--   sla            answer, first_attempt, attempts or acknowledge_return
--   owed_by        the team that owed it
--   owed           obligations that began in the window
--   met            of those, done with no more than the allowed minutes used
--   missed         of those, done later, or ended or still open with more used
--   open           of those, still owed and in time
--   lapsed         of those, no longer sensible before the time was used
--   moot           of those, of a record that was merged into another in time
--   past_due       of those missed, still owed
--   clock_suspect  of those owed, with clocks that disagree: in none of the counts before
--   kept_share     1 - missed / (met + missed + open)
with
owed as (
    select lead_id, starts_at, sla, case owed_by when 'sender' then from_team else to_team end as owed_by,
        case when is_clock_suspect then 'clock_suspect' else outcome end as outcome, ended_at
    from funnel.obligation_clock
    where clock is not null
)
select
    dimension,
    dimension_value(dimension, value) as value,
    window_unit,
    window_of(starts_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
        as window_start,
    sla,
    owed_by,
    count(*) as owed,
    count(*) filter (where outcome = 'met') as met,
    count(*) filter (where outcome = 'missed') as missed,
    count(*) filter (where outcome = 'open') as open,
    count(*) filter (where outcome = 'lapsed') as lapsed,
    count(*) filter (where outcome = 'moot') as moot,
    count(*) filter (where outcome = 'missed' and ended_at is null) as past_due,
    count(*) filter (where outcome = 'clock_suspect') as clock_suspect,
    1 - missed / nullif(met + missed + open, 0) as kept_share
from owed
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
group by all
