-- view:   obligation_span
-- grain:  one row per obligation and period in which one person owed it, and its clock ran or was paused
-- key:    handoff_id, sla, episode, from_at
-- reads:  funnel.obligation_episode, funnel.handoff_period, playbook.all_team
-- says:   whose minutes each obligation used, by whose calendar; the used minutes of its spans are those of the
--         obligation
-- means:  Each owner's part is counted in that owner's calendar, so that an assignment neither stops the clock nor
--         takes back what was missed. What the offering team owes is counted in that team's calendar, and not paused.
-- columns:
--   handoff_id        the handoff
--   sla               answer, first_attempt, attempts or acknowledge_return
--   episode           1 for the first time it was owed, 2 for the next
--   from_at           when the span began
--   until_at          when it ended; null when it is the last one of an obligation that is still open
--   owner             who owed it; null for a team
--   calendar          whose open time is counted; an elapsed clock counts all time
--   pause_reason      why the clock was paused; null while it ran
--   used_minutes      minutes of the clock in the span; none while it was paused
--   paused_minutes    wall-clock minutes of the span while the clock was paused
--   due_at            of the obligation: the first instant at which all allowed minutes are used; null while the clock
--                     is paused before that
--   in_time_until_at  of the obligation: the last instant at which no more than the allowed minutes are used; later
--                     than due_at when the calendar closes with the last minute
--   starts_at         of the obligation: when it began to be owed
--   met_at            of the obligation: when it was done
--   ended_at          of the obligation: when it was done, lapsed or became moot; null while it is open
--   ended_by          met, lapsed or moot
--   clock             business or elapsed
--   owed_by           receiver or sender
--   from_team         the team that offered
--   to_team           the team asked to answer
--   is_clock_suspect  true when the clocks disagree
--   at_risk_share     share of the allowed time after which it is at risk
--   allowed_minutes   minutes that the playbook allows
--   playbook_version  the playbook it is judged by
with
episode as materialized (
    select obligation_episode.*,
        least(lapsed_at, moot_at) as without_at,
        coalesce(done_at, without_at, 'infinity'::timestamptz) as known_until_at
    from funnel.obligation_episode
),
-- Periods after the end have no part in it; the one it ends in goes on, for the deadline may lie beyond.
span as (
    select episode.*, period.owner, period.calendar, pause_reason,
        greatest(starts_at, from_at) as from_at,
        case when until_at < known_until_at then until_at else 'infinity'::timestamptz end as until_at
    from episode
    join funnel.handoff_period as period
        on period.handoff_id = episode.handoff_id and starts_at < until_at
        and (from_at <= starts_at or from_at < known_until_at)
    where owed_by = 'receiver'
    union all by name
    select episode.*, team.calendar, starts_at as from_at, 'infinity'::timestamptz as until_at
    from episode
    left join playbook.all_team as team
        on team.playbook_version = episode.playbook_version and team.team = episode.from_team
    where owed_by = 'sender'
),
read_off as (
    select *,
        case clock when 'business' then open_us_at(calendar, from_at) else epoch_us(from_at) end as us_at_start,
        case when not isfinite(until_at) then null
            when clock = 'business' then open_us_at(calendar, until_at) else epoch_us(until_at) end as us_at_end
    from span
),
totalled as (
    select *,
        case when pause_reason is null then us_at_end - us_at_start else 0 end as whole_us,
        coalesce(sum(case when pause_reason is null then us_at_end - us_at_start else 0 end) over (
            partition by handoff_id, sla, episode order by from_at
            rows between unbounded preceding and 1 preceding), 0)::bigint as us_before
    from read_off
),
-- The span in which the allowed time is used up, and the one in which a microsecond more is.
deadline as (
    select *,
        allowed_us - us_before as left_us,
        pause_reason is null and left_us > 0 and left_us <= coalesce(whole_us, left_us) as is_due_here,
        pause_reason is null and left_us >= 0 and left_us < coalesce(whole_us, left_us + 1) as is_late_here,
        case when not is_due_here then null
            when clock = 'business' then instant_of_open_us(calendar, us_at_start + left_us)
            else from_at + to_microseconds(left_us) end as due_here_at,
        case when not is_late_here then null
            when clock = 'business' then instant_of_open_us(calendar, us_at_start + left_us + 1) - to_microseconds(1)
            else from_at + to_microseconds(left_us) end as in_time_here_until_at
    from totalled
),
dated as (
    select *,
        min(due_here_at) over same_obligation as due_at,
        min(in_time_here_until_at) over same_obligation as in_time_until_at
    from deadline
    window same_obligation as (partition by handoff_id, sla, episode)
),
ended as (
    select *,
        done_at is not null and (without_at is null or in_time_until_at is null
            or done_at <= greatest(without_at, in_time_until_at)) as is_done,
        case when is_done then done_at when without_at is not null then greatest(starts_at, without_at) end as ended_at,
        case when is_done then 'met' when without_at = lapsed_at then 'lapsed' when without_at is not null then 'moot'
        end as ended_by,
        least(until_at, coalesce(ended_at, $as_of)) as counted_until_at
    from dated
)
select
    handoff_id,
    sla,
    episode,
    from_at,
    case when ended_at is not null or isfinite(until_at) then counted_until_at end as until_at,
    owner,
    calendar,
    pause_reason,
    case
        when pause_reason is not null then 0
        -- Before its start an attempt uses no time; an answer means that the clocks disagree.
        when counted_until_at < from_at and sla in ('first_attempt', 'attempts') then 0
        when clock = 'business' then open_us_at(calendar, counted_until_at) - us_at_start
        else epoch_us(counted_until_at) - us_at_start
    end / 60000000.0::double as used_minutes,
    case when pause_reason is not null then greatest(0, epoch_us(counted_until_at) - epoch_us(from_at)) else 0
    end / 60000000.0::double as paused_minutes,
    due_at,
    in_time_until_at,
    starts_at,
    case when is_done then done_at end as met_at,
    ended_at,
    ended_by,
    clock,
    owed_by,
    from_team,
    to_team,
    is_clock_suspect,
    at_risk_share,
    allowed_us / 60000000.0::double as allowed_minutes,
    playbook_version
from ended
where from_at <= counted_until_at or from_at = starts_at
