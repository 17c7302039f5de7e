-- view:   sla_clock
-- grain:  one row per handoff and SLA whose clock has started; the answer always has one, also without an SLA
-- key:    handoff_id, sla
-- reads:  funnel.obligation_clock
-- says:   of each SLA on each handoff the latest time it was owed: when its clock started, when it runs out, when it
--         stopped, and how much of it is used; handoff_sla is read from it
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
--   used_us         microseconds of that clock until it ended, or until as-of; without an SLA, of the wall clock
--   episode         which time it was owed; null when no SLA covers the pair
--   ended_at        when it was done, lapsed or became moot
--   outcome         met, missed, open, lapsed or moot; null when no SLA covers the pair
--   is_before_start true when it was done before its clock started
select
    owed.* exclude (sender_calendar, periods, sla, owed_by, clock, allowed_us, starts_at, due_at, met_at, used_us,
        episode, is_latest, ended_at, outcome, done_at, ended_without_at, ended_without, in_time_until_at, spans),
    sender_calendar,
    periods,
    sla,
    case owed_by when 'sender' then from_team when 'receiver' then to_team end as owed_by,
    case when owed_by = 'receiver' then owner end as owed_by_person,
    clock,
    allowed_us,
    starts_at,
    coalesce(met_at, case when clock is null then answered_at end) as met_at,
    due_at,
    used_us,
    episode,
    ended_at,
    outcome,
    sla in ('first_attempt', 'attempts') and coalesce(met_at < starts_at, false) as is_before_start
from funnel.obligation_clock as owed
where is_latest
