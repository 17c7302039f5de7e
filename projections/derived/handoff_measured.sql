-- derived: handoff_measured
-- grain:  one row per handoff and measure: opened, answered, attempted, reached, and overdue
-- key:    event_id
-- reads:  funnel.handoff, resolved.handoff
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
--   business_minutes  the same in open minutes of the calendar
--   is_clock_suspect  true when the clocks of the two teams disagree
--   playbook_version  the playbook it is measured by
--   is_open           true when only the as-of makes it so: overdue, and the answer is still missing
with
handoff_moments as (
    select
        handoff_id, lead_id, from_team, to_team, offered_at, answered_at, answer, first_attempt_at, reached_at,
        answer_due_at as due_at, calendar, is_clock_suspect, playbook_version
    from funnel.handoff
),
-- A missing answer is a moment too: a deadline that passed without one.
moment as (
    select *, 'opened' as measure, offered_at as occurred_at, false as is_open from handoff_moments
    union all
    select *, 'answered', answered_at, false from handoff_moments where answered_at is not null
    union all
    select *, 'attempted', first_attempt_at, false from handoff_moments where first_attempt_at is not null
    union all
    select *, 'reached', reached_at, false from handoff_moments where reached_at is not null
    union all
    select *, 'overdue', due_at, answered_at is null from handoff_moments where due_at < coalesce(answered_at, $as_of)
),
owned_moment as (
    select
        moment.*,
        coalesce(
            case when handoff.first_answer.occurred_at <= moment.occurred_at then handoff.first_answer.owner end,
            list_max(list_filter(handoff.reassignments, lambda assigned:
                assigned.occurred_at <= moment.occurred_at)).to_owner,
            handoff.offer.owner) as owner
    from moment
    join resolved.handoff as handoff using (handoff_id)
)
select
    md5(concat_ws('|', 'HandoffMeasured', handoff_id, measure, epoch_us(occurred_at))) as event_id,
    occurred_at,
    handoff_id,
    lead_id,
    measure,
    from_team,
    to_team,
    owner,
    offered_at,
    due_at,
    case when answered_at <= occurred_at then answer end as answer,
    (epoch_us(occurred_at) - epoch_us(offered_at)) / 60000000.0::double as elapsed_minutes,
    (open_us_at(calendar, occurred_at) - open_us_at(calendar, offered_at)) / 60000000.0::double as business_minutes,
    is_clock_suspect,
    playbook_version,
    is_open
from owned_moment
