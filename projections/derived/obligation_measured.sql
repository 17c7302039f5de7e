-- derived: obligation_measured
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed, that an SLA covers
-- key:    handoff_id, sla, episode
-- reads:  funnel.obligation_clock
-- says:   when each obligation came to be at risk and past due, and how it ended: what an alert about one handoff
--         is decided by, ready to leave as ObligationMeasured
-- means:  All of it follows from facts alone; how far an obligation came depends on the clock and is decided when
--         measuring. Where the clocks of the teams disagree nothing is judged, so neither moment is there.
-- columns:
--   handoff_id        the handoff
--   lead_id           the lead
--   sla               answer, first_attempt, attempts or acknowledge_return
--   episode           1 for the first time it was owed, 2 for the next
--   from_team         the team that offered
--   to_team           the team asked to answer
--   owed_by           the team that owes it
--   owner             the person who owes it; null when a team does
--   clock             business or elapsed
--   calendar          the calendar it is counted in last
--   allowed_minutes   minutes that the playbook allows
--   starts_at         when it began to be owed
--   due_at            the first instant at which all allowed minutes are used
--   at_risk_at        when most of its time was gone; null when it ended before
--   late_at           the last instant at which it was in time; null when it ended by then
--   ended_at          when it was done, lapsed or became moot; null while it is owed
--   ended             met, lapsed or moot
--   late_minutes      minutes beyond those allowed, once it ended late
--   is_withdrawn      true when the clocks disagree
--   playbook_version  the playbook it is judged by
with
owed as materialized (
    select * from funnel.obligation_clock where clock is not null
),
span as (
    select handoff_id, sla, episode, clock, ended_at, span.from_at as from_at, span.calendar as calendar,
        span.pause_reason as pause_reason, span.used_us as used_us,
        ceil(at_risk_share * allowed_us)::bigint - coalesce(sum(span.used_us) over (
            partition by handoff_id, sla, episode order by span.from_at
            rows between unbounded preceding and 1 preceding), 0)::bigint as left_us,
        lead(true) over (partition by handoff_id, sla, episode order by span.from_at) is null as is_last
    from (select handoff_id, sla, episode, clock, ended_at, at_risk_share, allowed_us, unnest(spans) as span from owed)
),
-- The last span of what is still owed goes on beyond as-of.
risk as (
    select handoff_id, sla, episode,
        min(case clock
            when 'business' then instant_of_open_us(calendar, open_us_at(calendar, from_at) + left_us)
            else from_at + to_microseconds(left_us) end) as at_risk_at
    from span
    where pause_reason is null and left_us > 0 and (left_us <= used_us or is_last and ended_at is null)
    group by all
),
moment as (
    select owed.*,
        not is_clock_suspect and coalesce(ended_at > risk.at_risk_at, true) as may_be_at_risk,
        case when may_be_at_risk then risk.at_risk_at end as at_risk_at,
        case when not is_clock_suspect and coalesce(ended_at > in_time_until_at, true) then in_time_until_at end as late_at
    from owed
    left join risk using (handoff_id, sla, episode)
)
select
    handoff_id,
    lead_id,
    sla,
    episode::integer as episode,
    from_team,
    to_team,
    case owed_by when 'sender' then from_team else to_team end as owed_by,
    spans[-1].owner as owner,
    clock,
    spans[-1].calendar as calendar,
    allowed_us / 60000000.0::double as allowed_minutes,
    starts_at,
    due_at,
    at_risk_at,
    late_at,
    ended_at,
    case when met_at is not null then 'met' when ended_at is not null then ended_without end as ended,
    case when late_at < ended_at then (used_us - allowed_us) / 60000000.0::double end as late_minutes,
    is_clock_suspect as is_withdrawn,
    playbook_version
from moment
