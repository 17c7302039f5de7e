-- view:   obligation
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed
-- key:    handoff_id, sla, episode
-- reads:  funnel.obligation_span
-- says:   everything one side ever owed the other on a handoff: from when, until when, and how it ended
-- means:  An obligation has one outcome: met (done with no more than the allowed minutes used), missed (done later, or
--         ended or still open with more used), open, lapsed (in time, when it no longer made sense), or moot (in time,
--         when the record was merged into another). What begins and ends each is said by obligation_episode. An
--         answer within the allowed time is met even if two-way contact came before it.
-- columns:
--   handoff_id          the handoff
--   sla                 answer, first_attempt, attempts or acknowledge_return
--   episode             1 for the first time it was owed, 2 for the next
--   from_team           the team that offered
--   to_team             the team asked to answer
--   owed_by             the team that owed it
--   owner               the person who owed it last; null when a team did
--   clock               business or elapsed
--   calendar            the calendar it was counted in last
--   calendars           every calendar it was counted in, in order
--   allowed_minutes     minutes that the playbook allows
--   used_minutes        minutes of the clock used until it ended, or until as-of; the sum over its spans
--   paused_minutes      wall-clock minutes while the clock was paused
--   starts_at           when it began to be owed
--   due_at              the first instant at which all allowed minutes are used; null while the clock is paused before
--   in_time_until_at    the last instant at which no more than the allowed minutes are used
--   met_at              when it was done; null while it is not
--   ended_at            when it was done, lapsed or became moot; null while it is owed
--   outcome             met, missed, open, lapsed or moot
--   is_missed           true when it was ever missed, even if done since
--   is_past_due         true when it was missed and is still owed
--   is_at_risk          true when it is open and most of the time is gone
--   is_before_start     true when it was done before it began to be owed: no time used
--   is_clock_suspect    true when the clocks disagree; it is left out of shares
--   playbook_version    the playbook it is judged by: the one in force when the handoff was offered
with
spent as (
    select
        handoff_id, sla, episode, playbook_version,
        max({'from_at': from_at, 'owner': owner, 'calendar': calendar}) as last_span,
        list_distinct(list(calendar order by from_at)) as calendars,
        any_value(from_team) as from_team,
        any_value(to_team) as to_team,
        any_value(owed_by) as owed_by,
        any_value(is_clock_suspect) as is_clock_suspect,
        any_value(at_risk_share) as at_risk_share,
        any_value(clock) as clock,
        any_value(allowed_minutes) as allowed_minutes,
        sum(used_minutes) as used_minutes,
        sum(paused_minutes) as paused_minutes,
        any_value(starts_at) as starts_at,
        any_value(due_at) as due_at,
        any_value(in_time_until_at) as in_time_until_at,
        any_value(met_at) as met_at,
        any_value(ended_at) as ended_at,
        any_value(ended_by) as ended_by
    from funnel.obligation_span
    group by handoff_id, sla, episode, playbook_version
),
judged as (
    select *,
        case when coalesce(ended_at, $as_of) > in_time_until_at then 'missed' else coalesce(ended_by, 'open') end
            as outcome
    from spent
)
select
    handoff_id,
    sla,
    episode,
    from_team,
    to_team,
    case owed_by when 'sender' then from_team else to_team end as owed_by,
    last_span.owner as owner,
    clock,
    last_span.calendar as calendar,
    calendars,
    allowed_minutes,
    used_minutes,
    paused_minutes,
    starts_at,
    due_at,
    in_time_until_at,
    met_at,
    ended_at,
    outcome,
    outcome = 'missed' as is_missed,
    outcome = 'missed' and ended_at is null as is_past_due,
    outcome = 'open' and used_minutes >= at_risk_share * allowed_minutes as is_at_risk,
    sla in ('first_attempt', 'attempts') and coalesce(met_at < starts_at, false) as is_before_start,
    is_clock_suspect,
    playbook_version
from judged
