-- view:   obligation_deadline
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed; the answer always has one, also without
--         an SLA
-- key:    handoff_id, sla, episode
-- stored: handoff_id
-- reads:  funnel.obligation_episode
-- says:   of everything owed on each handoff when its clock runs out, and, once it has ended, when and how
-- means:  Whatever the clock says now, this stays the same: obligation_clock adds the rest. Each owner's part is counted
--         in that owner's calendar, so that an assignment neither stops the clock nor takes back what was missed. While
--         the handoff is paused no time is used. What the offering team owes is counted in that team's calendar, and
--         not paused.
-- columns:
--   all of obligation_episode
--   due_at            the first instant at which all allowed minutes are used; null while the clock is paused before
--   in_time_until_at  the last instant at which no more than the allowed minutes are used; later than due_at when the
--                     calendar closes with the last minute
--   met_at            when it was done; null while it is not, or when it had lapsed before and was late
--   ended_at          when it was done, lapsed or became moot; null while it is owed
--   outcome           met, missed, lapsed or moot; null while it is owed
--   used_us           microseconds of the clock used until it ended, without an SLA of the wall clock; null while it is
--                     owed
--   spans             in order, whose time it uses, until it ended: from_at, until_at, owner, calendar, pause_reason,
--                     used_us, and paused_us of the wall clock (list of structs); of the one without an end these are
--                     null
with
episode as materialized (
    select *, coalesce(done_at, ended_without_at, 'infinity'::timestamptz) as known_until_at
    from funnel.obligation_episode
),
-- Periods after the end have no part in it; the one it ends in goes on, for the deadline may lie beyond.
span as (
    select * exclude (period), period.owner as owner, period.calendar as calendar, period.pause_reason as pause_reason,
        greatest(starts_at, period.from_at) as from_at,
        case when period.until_at < known_until_at then period.until_at else 'infinity'::timestamptz end as until_at
    from (
        select handoff_id, sla, episode, starts_at, clock, allowed_us, done_at, ended_without_at, ended_without,
            known_until_at,
            unnest(case owed_by
                when 'sender' then [{
                    'from_at': '-infinity'::timestamptz, 'until_at': 'infinity'::timestamptz, 'owner': null::varchar,
                    'calendar': sender_calendar, 'pause_reason': null::varchar}]
                else list_filter(periods, lambda period: starts_at < period.until_at
                    and (period.from_at <= starts_at or period.from_at < known_until_at))
            end) as period
        from episode
    )
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
        allowed_us - coalesce(sum(case when pause_reason is null then us_at_end - us_at_start else 0 end) over (
            partition by handoff_id, sla, episode order by from_at
            rows between unbounded preceding and 1 preceding), 0)::bigint as left_us
    from read_off
),
-- The span in which the allowed time is used up, and the one in which a microsecond more is.
deadline as (
    select *,
        case when pause_reason is not null or left_us <= 0 or left_us > coalesce(whole_us, left_us) then null
            when clock = 'business' then instant_of_open_us(calendar, us_at_start + left_us)
            else from_at + to_microseconds(left_us) end as due_here_at,
        case when pause_reason is not null or left_us < 0 or left_us >= coalesce(whole_us, left_us + 1) then null
            when clock = 'business' then instant_of_open_us(calendar, us_at_start + left_us + 1) - to_microseconds(1)
            else from_at + to_microseconds(left_us) end as late_here_at
    from totalled
),
dated as (
    select *,
        min(due_here_at) over same_obligation as due_at,
        min(late_here_at) over same_obligation as in_time_until_at,
        done_at is not null and (ended_without_at is null or in_time_until_at is null
            or done_at <= greatest(ended_without_at, in_time_until_at)) as is_done,
        case when is_done then done_at else ended_without_at end as ended_at,
        least(until_at, ended_at) as counted_until_at
    from deadline
    window same_obligation as (partition by handoff_id, sla, episode)
),
-- Before its start an attempt uses no time; an answer means that the clocks disagree.
used as (
    select *,
        case
            when not isfinite(counted_until_at) then null
            when pause_reason is not null or counted_until_at < from_at and sla in ('first_attempt', 'attempts') then 0
            when clock = 'business' then open_us_at(calendar, counted_until_at) - us_at_start
            else epoch_us(counted_until_at) - us_at_start
        end as used_us,
        case
            when not isfinite(counted_until_at) then null
            when pause_reason is null then 0
            else greatest(0, epoch_us(counted_until_at) - epoch_us(from_at))
        end as paused_us
    from dated
    where from_at <= counted_until_at or from_at = starts_at
),
spent as (
    select
        handoff_id, sla, episode,
        any_value(due_at) as due_at,
        any_value(in_time_until_at) as in_time_until_at,
        any_value(done_at) filter (where is_done) as met_at,
        any_value(ended_at) as ended_at,
        case when any_value(ended_at) is not null then sum(used_us)::bigint end as used_us,
        list_sort(list({
            'from_at': from_at, 'until_at': case when isfinite(counted_until_at) then counted_until_at end,
            'owner': owner, 'calendar': calendar, 'pause_reason': pause_reason, 'used_us': used_us,
            'paused_us': paused_us
        })) as spans
    from used
    group by handoff_id, sla, episode
)
select
    episode.* exclude (known_until_at),
    due_at,
    in_time_until_at,
    met_at,
    ended_at,
    case
        when clock is null or ended_at is null then null
        when ended_at > in_time_until_at then 'missed'
        when met_at is not null then 'met'
        else ended_without
    end as outcome,
    used_us,
    spans
from episode
join spent using (handoff_id, sla, episode)
