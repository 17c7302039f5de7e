-- view:   obligation_clock
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed; the answer always has one, also without
--         an SLA
-- key:    handoff_id, sla, episode
-- reads:  funnel.obligation_deadline
-- says:   the clock of everything owed on each handoff, beside what happened to it: when it runs out, when it stopped,
--         and whose minutes it used; handoff, handoff_sla and obligation are read from it
-- means:  See obligation_deadline. What has ended is as it stands there; of what is owed the time until as-of counts.
-- columns:
--   all of obligation_episode
--   due_at            the first instant at which all allowed minutes are used; null while the clock is paused before
--   in_time_until_at  the last instant at which no more than the allowed minutes are used; later than due_at when the
--                     calendar closes with the last minute
--   met_at            when it was done; null while it is not, or when it had lapsed before and was late
--   ended_at          when it was done, lapsed or became moot; null while it is owed
--   outcome           met, missed, open, lapsed or moot; see obligation
--   used_us           microseconds of the clock used until it ended, or until as-of; without an SLA of the wall clock
--   spans             in order, whose time it used: from_at, until_at, owner, calendar, pause_reason, used_us, and
--                     paused_us of the wall clock (list of structs)
with
-- The spans that have begun: all but the last are over.
begun as (
    select *, list_filter(spans, lambda span: span.from_at <= now_at or span.from_at = starts_at) as run
    from funnel.obligation_deadline
    cross join (select $as_of as now_at)
    where ended_at is null
),
counted as (
    select *, least(going.until_at, now_at) as counted_until_at,
        case
            when going.pause_reason is not null
                or counted_until_at < going.from_at and sla in ('first_attempt', 'attempts') then 0
            when clock = 'business'
                then open_us_at(going.calendar, counted_until_at) - open_us_at(going.calendar, going.from_at)
            else epoch_us(counted_until_at) - epoch_us(going.from_at)
        end as going_us
    from (select *, run[-1] as going from begun)
)
select * from funnel.obligation_deadline
where ended_at is not null
union all by name
select * exclude (run, going, now_at, counted_until_at, going_us)
    replace (
        case when clock is null then null when now_at > in_time_until_at then 'missed' else 'open' end as outcome,
        (coalesce(list_sum(list_transform(run[:-2], lambda span: span.used_us)), 0) + going_us)::bigint as used_us,
        list_append(run[:-2], {
            'from_at': going.from_at, 'until_at': case when going.until_at is not null then counted_until_at end,
            'owner': going.owner, 'calendar': going.calendar, 'pause_reason': going.pause_reason, 'used_us': going_us,
            'paused_us': case when going.pause_reason is null then 0
                else greatest(0, epoch_us(counted_until_at) - epoch_us(going.from_at)) end
        }) as spans
    )
from counted
