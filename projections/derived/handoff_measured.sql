-- derived: handoff_measured
-- grain:  one row per handoff and measure: opened, answered, attempted, reached, and overdue
-- key:    event_id
-- reads:  funnel.obligation_clock
-- says:   the moments of each handoff that are known, ready to leave as HandoffMeasured events
-- columns:
--   event_id          identity, from the handoff, the measure and its moment: a late event that revises the
--                     moment makes another event, measuring again makes the same one
--   occurred_at       the moment measured; of overdue, the deadline that passed
--   handoff_id        the handoff
--   lead_id           the lead
--   measure           opened, answered, attempted, reached or overdue
--   from_team         the team that offered
--   to_team           the team asked to answer
--   owner             who owned it at that moment, as known now
--   offered_at        when it was offered
--   due_at            when the answer is due; null when no SLA covers the pair
--   answer            accepted or returned, when it was answered by then
--   elapsed_minutes   wall-clock minutes from the offer to the moment
--   business_minutes  the same in open minutes: of each owner's part by that owner's calendar, without pauses
--   is_clock_suspect  true when the clocks of the two teams disagree
--   playbook_version  the playbook it is measured by
--   is_open           true when only time makes it so: overdue, and the answer is still owed
--   in_time_until_at  until when it is not overdue, though its deadline may have passed: the calendar is closed
with
handoff as materialized (
    select * from funnel.obligation_clock where sla = 'answer'
),
-- A missing answer is a moment too: a deadline that passed without one.
moment as (
    select handoff_id, 'opened' as measure, offered_at as occurred_at, false as is_open from handoff
    union all
    select handoff_id, 'answered', answered_at, false from handoff where answered_at is not null
    union all
    select handoff_id, 'attempted', first_attempt_at, false from handoff where first_attempt_at is not null
    union all
    select handoff_id, 'reached', reached_at, false from handoff where reached_at is not null
    union all
    select handoff_id, 'overdue', due_at, ended_at is null
    from handoff
    where due_at is not null and outcome in ('open', 'missed')
),
owned_moment as (
    select
        handoff_id, measure, moment.occurred_at, is_open,
        any_value(period.owner) filter (where from_at <= moment.occurred_at and moment.occurred_at < until_at) as owner,
        sum(case
            when pause_reason is null and least(offered_at, moment.occurred_at) < until_at
                and greatest(offered_at, moment.occurred_at) > from_at
            then open_us_at(period.calendar, least(until_at, greatest(offered_at, moment.occurred_at)))
                - open_us_at(period.calendar, greatest(from_at, least(offered_at, moment.occurred_at)))
            else 0
        end) as open_us
    from moment
    join (select handoff_id, offered_at, unnest(periods, max_depth := 2) from handoff) as period using (handoff_id)
    group by all
)
select
    md5(concat_ws('|', 'HandoffMeasured', handoff_id, measure, epoch_us(occurred_at))) as event_id,
    occurred_at,
    handoff_id,
    lead_id,
    measure,
    from_team,
    to_team,
    owned_moment.owner,
    offered_at,
    due_at,
    case when answered_at <= occurred_at then answer end as answer,
    (epoch_us(occurred_at) - epoch_us(offered_at)) / 60000000.0::double as elapsed_minutes,
    open_us * case when occurred_at < offered_at then -1 else 1 end / 60000000.0::double as business_minutes,
    is_clock_suspect,
    handoff.playbook_version,
    is_open,
    in_time_until_at
from owned_moment
join handoff using (handoff_id)
