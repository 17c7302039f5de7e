-- view:   handoff_sla
-- grain:  one row per handoff and SLA of its pair of teams whose clock has started
-- key:    handoff_id, sla
-- reads:  funnel.handoff_governed, playbook.all_sla
-- says:   what each side owed the other on a handoff, by when, and whether it was kept
-- columns:
--   handoff_id        the handoff
--   sla               answer, first_attempt, attempts or acknowledge_return
--   from_team         the team that offered
--   to_team           the team asked to answer
--   owed_by           the team that owes it
--   owner             the person who owes it; null when the offering team owes it
--   clock             business or elapsed
--   allowed_minutes   how long the playbook allows
--   starts_at         when the clock started
--   due_at            when it runs out
--   met_at            when it was done; null while open
--   used_minutes      minutes of that clock until done, or until as-of
--   is_met            true when done in time
--   is_due            SLA due: true when it was ever missed, even if done since
--   is_past_due       SLA past due: true when expired and still open
--   is_at_risk        true when open and most of the time is gone
--   is_clock_suspect  true when the clocks disagree: kept here, judged neither met nor missed
--   playbook_version  the playbook it is judged by: the one in force when the handoff was offered
with
owed as (
    select
        handoff.handoff_id, sla.sla, handoff.from_team, handoff.to_team, sla.clock, sla.allowed_us,
        handoff.at_risk_share, handoff.is_clock_suspect, handoff.playbook_version,
        case when sla.owed_by = 'sender' then handoff.from_team else handoff.to_team end as owed_by,
        case when sla.owed_by = 'sender' then null else handoff.owner end as owner,
        case when sla.owed_by = 'sender' then sender_calendar else handoff.calendar end as calendar,
        case sla.sla
            when 'answer' then offered_at
            when 'acknowledge_return' then returned_at
            else accepted_at
        end as starts_at,
        case sla.sla
            when 'answer' then answered_at
            when 'first_attempt' then first_attempt_at
            when 'attempts' then least(human_attempt_ats[sla.attempts], reached_at)
            when 'acknowledge_return' then acknowledged_at
        end as met_at
    from funnel.handoff_governed as handoff
    join playbook.all_sla as sla
        on sla.playbook_version = handoff.playbook_version
        and sla.from_team = handoff.from_team and sla.to_team = handoff.to_team
),
started as (
    select owed.*,
        open_us_at(calendar, starts_at) as open_us_at_start,
        open_us_at(calendar, until_at) as open_us_until_then
    from (select *, coalesce(met_at, $as_of) as until_at from owed where starts_at is not null) as owed
),
clocked as (
    select started.*,
        case when clock = 'business' then open_us_until_then - open_us_at_start
             else epoch_us(until_at) - epoch_us(starts_at)
        end as used_us,
        case when clock = 'business' then instant_of_open_us(calendar, open_us_when_due)
             else starts_at + to_microseconds(allowed_us)
        end as due_at
    from (select *, open_us_at_start + allowed_us as open_us_when_due from started) as started
)
select
    handoff_id,
    sla,
    from_team,
    to_team,
    owed_by,
    owner,
    clock,
    allowed_us / 60000000.0::double as allowed_minutes,
    starts_at,
    due_at,
    met_at,
    used_us / 60000000.0::double as used_minutes,
    not is_clock_suspect and coalesce(met_at <= due_at, false) as is_met,
    not is_clock_suspect and until_at > due_at as is_due,
    not is_clock_suspect and met_at is null and $as_of > due_at as is_past_due,
    not is_clock_suspect and met_at is null and $as_of <= due_at and used_us >= at_risk_share * allowed_us
        as is_at_risk,
    is_clock_suspect,
    playbook_version
from clocked
