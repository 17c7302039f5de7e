-- view:   sla_clock
-- grain:  one row per handoff and SLA whose clock has started; the answer always has one, also without an SLA
-- key:    handoff_id, sla
-- reads:  funnel.handoff_governed, funnel.obligation
-- says:   of each SLA on each handoff the latest time it was owed: when its clock started, when it runs out, when it
--         stopped, and how much of it is used; handoff and handoff_sla are read from it
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
--   is_suspect      true when the clocks disagree about this SLA
with
latest as (
    select * exclude (from_team, to_team, owner, calendar, is_clock_suspect, playbook_version),
        is_clock_suspect as is_suspect
    from funnel.obligation
    qualify row_number() over (partition by handoff_id, sla order by episode desc) = 1
)
select
    handoff.*,
    known.sla,
    owed_by,
    case when owed_by = to_team then owner end as owed_by_person,
    clock,
    (allowed_minutes * 60000000)::bigint as allowed_us,
    coalesce(starts_at, offered_at) as starts_at,
    case when clock is null then answered_at else met_at end as met_at,
    due_at,
    round(coalesce(used_minutes * 60000000, epoch_us(coalesce(answered_at, $as_of)) - epoch_us(offered_at)))::bigint
        as used_us,
    episode,
    ended_at,
    outcome,
    is_before_start,
    coalesce(is_suspect, is_clock_suspect) as is_suspect
from funnel.handoff_governed as handoff
cross join (values ('answer'), ('first_attempt'), ('attempts'), ('acknowledge_return')) as known(sla)
left join latest on latest.handoff_id = handoff.handoff_id and latest.sla = known.sla
where known.sla = 'answer' or latest.sla is not null
