-- view:   handoff
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.obligation_clock
-- says:   where each handoff stands, in exactly one state, with the moments that put it there
-- means:  What came of it decides first, then its last answer; without an answer: two-way contact (being worked), the
--         merge of its record into another (moot), then its clock.
-- columns:
--   all of handoff_history
--   calendar             the calendar its business time is counted in: the owner's, else the team's
--   answer_due_at        when the answer is due under the playbook; null when no SLA covers the pair
--   answer_minutes_used  minutes of the answer's SLA used until it was answered or no longer owed, or until as-of;
--                        wall-clock minutes when no SLA covers the pair
--   state                not_arrived, waiting, at_risk, past_due, accepted_untouched, being_worked,
--                        returned_unacknowledged, returned_acknowledged, recycled, converted, lost or moot
--   playbook_version     the playbook it is judged by: the one in force when it was offered
select
    owed.* exclude (playbook_version, at_risk_share, calendar, sender_calendar, periods, sla, episode, is_latest, owed_by, clock,
        allowed_us, starts_at, done_at, ended_without_at, ended_without, due_at, in_time_until_at, met_at, ended_at,
        outcome, used_us, spans),
    calendar,
    due_at as answer_due_at,
    used_us / 60000000.0::double as answer_minutes_used,
    case
        when opportunities > 0 and opportunities = opportunities_lost then 'lost'
        when opportunities > 0 then 'converted'
        when last_answer = 'returned' and is_recycled then 'recycled'
        when last_answer = 'returned' and disposition = 'disqualify' then 'lost'
        when last_answer = 'returned' and acknowledged_at is not null then 'returned_acknowledged'
        when last_answer = 'returned' then 'returned_unacknowledged'
        when last_answer = 'accepted' and (attempts > 0 or reached_at is not null) then 'being_worked'
        when last_answer = 'accepted' then 'accepted_untouched'
        when reached_at is not null then 'being_worked'
        when merged_at is not null then 'moot'
        when not is_arrived then 'not_arrived'
        when outcome = 'missed' then 'past_due'
        when used_us >= at_risk_share * allowed_us then 'at_risk'
        else 'waiting'
    end as state,
    playbook_version
from funnel.obligation_clock as owed
where sla = 'answer'
