-- view:   obligation
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed
-- key:    handoff_id, sla, episode
-- reads:  funnel.obligation_clock
-- says:   everything one side ever owed the other on a handoff: from when, until when, and how it ended
-- means:  An obligation has one outcome: met (done with no more than the allowed minutes used), missed (done later, or
--         ended or still open with more used), open, lapsed (in time, when it no longer made sense), or moot (in time,
--         when the record was merged into another). What begins and ends each is said by obligation_episode. An
--         answer within the allowed time is met even if two-way contact came before it.
-- columns:
--   handoff_id        the handoff
--   sla               answer, first_attempt, attempts or acknowledge_return
--   episode           1 for the first time it was owed, 2 for the next
--   from_team         the team that offered
--   to_team           the team asked to answer
--   owed_by           the team that owed it
--   owner             the person who owed it last; null when a team did
--   clock             business or elapsed
--   calendar          the calendar it was counted in last
--   calendars         every calendar it was counted in
--   allowed_minutes   minutes that the playbook allows
--   used_minutes      minutes of the clock used until it ended, or until as-of; the sum over its spans
--   paused_minutes    wall-clock minutes while the clock was paused
--   starts_at         when it began to be owed
--   due_at            the first instant at which all allowed minutes are used; null while the clock is paused before
--   in_time_until_at  the last instant at which no more than the allowed minutes are used
--   met_at            when it was done; null while it is not
--   ended_at          when it was done, lapsed or became moot; null while it is owed
--   outcome           met, missed, open, lapsed or moot
--   is_missed         true when it was ever missed, even if done since
--   is_past_due       true when it was missed and is still owed
--   is_at_risk        true when it is open and most of the time is gone
--   is_before_start   true when it was done before it began to be owed: no time used
--   is_clock_suspect  true when the clocks disagree; it is left out of shares
--   playbook_version  the playbook it is judged by: the one in force when the handoff was offered
select
    handoff_id,
    sla,
    episode,
    from_team,
    to_team,
    case owed_by when 'sender' then from_team else to_team end as owed_by,
    spans[-1].owner as owner,
    clock,
    spans[-1].calendar as calendar,
    list_sort(list_distinct(list_transform(spans, lambda span: span.calendar))) as calendars,
    allowed_us / 60000000.0::double as allowed_minutes,
    used_us / 60000000.0::double as used_minutes,
    list_sum(list_transform(spans, lambda span: span.paused_us))::bigint / 60000000.0::double as paused_minutes,
    starts_at,
    due_at,
    in_time_until_at,
    met_at,
    ended_at,
    outcome,
    outcome = 'missed' as is_missed,
    outcome = 'missed' and ended_at is null as is_past_due,
    outcome = 'open' and used_us >= at_risk_share * allowed_us as is_at_risk,
    sla in ('first_attempt', 'attempts') and coalesce(met_at < starts_at, false) as is_before_start,
    is_clock_suspect,
    playbook_version
from funnel.obligation_clock
where clock is not null
