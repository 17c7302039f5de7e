-- view:   sla_clock
-- grain:  one row per handoff and SLA whose clock has started; the answer always has one, also without an SLA
-- key:    handoff_id, sla
-- reads:  funnel.handoff_governed, playbook.all_sla
-- says:   the clock of each SLA on each handoff: when it started, when it runs out, when it stopped, and how much of
--         it is used; handoff and handoff_sla are read from it
-- columns:
--   all of handoff_governed
--   sla             answer, first_attempt, attempts or acknowledge_return
--   owed_by         the team that owes it; null when no SLA covers the pair
--   owed_by_person  the person who owes it; null when the offering team owes it
--   clock           business or elapsed; null when no SLA covers the pair
--   allowed_us      microseconds of that clock that the playbook allows
--   starts_at       when the clock started
--   met_at          when it was done; null while open
--   due_at          when the clock runs out
--   used_us         microseconds of that clock until done, or until as-of; without an SLA, of the wall clock
with
started as (
    select
        handoff.*,
        known.sla,
        case owed.owed_by when 'sender' then from_team when 'receiver' then to_team end as owed_by,
        case when owed.owed_by = 'receiver' then owner end as owed_by_person,
        case when owed.owed_by = 'sender' then sender_calendar else calendar end as clock_calendar,
        owed.clock,
        owed.allowed_us,
        case known.sla
            when 'answer' then offered_at
            when 'acknowledge_return' then returned_at
            else accepted_at
        end as starts_at,
        case known.sla
            when 'answer' then answered_at
            when 'first_attempt' then first_attempt_at
            when 'attempts' then least(human_attempt_ats[owed.attempts], reached_at)
            when 'acknowledge_return' then acknowledged_at
        end as met_at
    from funnel.handoff_governed as handoff
    cross join (values ('answer'), ('first_attempt'), ('attempts'), ('acknowledge_return')) as known (sla)
    left join playbook.all_sla as owed using (playbook_version, sla, from_team, to_team)
    where starts_at is not null and (known.sla = 'answer' or owed.sla is not null)
),
-- Business time between two instants is a difference of totals.
totalled as (
    select
        *,
        open_us_at(clock_calendar, starts_at) as open_us_at_start,
        open_us_at(clock_calendar, coalesce(met_at, $as_of)) as open_us_at_end
    from started
),
due as (
    select *, open_us_at_start + allowed_us as open_us_when_due from totalled
)
select
    due.* exclude (clock_calendar, starts_at, met_at, open_us_at_start, open_us_at_end, open_us_when_due),
    starts_at,
    met_at,
    case clock
        when 'business' then instant_of_open_us(clock_calendar, open_us_when_due)
        when 'elapsed' then starts_at + to_microseconds(allowed_us)
    end as due_at,
    case clock
        when 'business' then open_us_at_end - open_us_at_start
        else epoch_us(coalesce(met_at, $as_of)) - epoch_us(starts_at)
    end as used_us
from due
