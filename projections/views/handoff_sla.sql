-- view:   handoff_sla
-- grain:  one row per handoff and SLA of its pair of teams whose clock has started: the latest time it was owed
-- key:    handoff_id, sla
-- reads:  funnel.sla_clock
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
--   due_at            when it runs out: the first instant at which all allowed minutes are used; null while the clock
--                     is paused before that
--   met_at            when it was done; null while it is not
--   used_minutes      minutes of that clock until it ended, or until as-of, without pauses
--   is_met            true when done with no more than the allowed minutes used
--   is_due            SLA due: true when it was ever missed, even if done since
--   is_past_due       SLA past due: true when expired and still open; a handoff may be so in several SLAs at once
--   is_at_risk        true when open and most of the time is gone
--   is_clock_suspect  true when the clocks disagree: kept here, judged neither met nor missed
--   playbook_version  the playbook it is judged by: the one in force when the handoff was offered
--   episode           which time it was owed: 1 for the first, 2 for the next
--   outcome           met, missed, open, lapsed or moot, see obligation
--   ended_at          when it was done, lapsed or became moot; null while it is owed
--   is_before_start   true when it was done before its clock started: no time used
select
    handoff_id,
    sla,
    from_team,
    to_team,
    owed_by,
    owed_by_person as owner,
    clock,
    allowed_us / 60000000.0::double as allowed_minutes,
    starts_at,
    due_at,
    met_at,
    used_us / 60000000.0::double as used_minutes,
    not is_clock_suspect and outcome = 'met' as is_met,
    not is_clock_suspect and outcome = 'missed' as is_due,
    not is_clock_suspect and outcome = 'missed' and ended_at is null as is_past_due,
    not is_clock_suspect and outcome = 'open' and used_us >= at_risk_share * allowed_us as is_at_risk,
    is_clock_suspect,
    playbook_version,
    episode,
    outcome,
    ended_at,
    is_before_start
from funnel.sla_clock
where clock is not null
