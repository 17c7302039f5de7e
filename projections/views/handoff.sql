-- view:   handoff
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.handoff_governed, playbook.all_sla
-- says:   where each handoff stands, in exactly one state, with the moments that put it there
-- columns:
--   all of handoff_history
--   calendar             the calendar its business time is counted in: the owner's, else the team's
--   answer_due_at        when the answer is due under the playbook; null when no SLA covers the pair
--   answer_minutes_used  minutes of the answer's SLA used until the answer, or until as-of
--   state                not_arrived, waiting, at_risk, past_due, accepted_untouched, being_worked,
--                        returned_unacknowledged, returned_acknowledged, recycled, converted or lost
--   playbook_version     the playbook it is judged by: the one in force when it was offered
with
clocked as (
    select handoff.*, sla.clock, sla.allowed_us, coalesce(answered_at, $as_of) as until_at
    from funnel.handoff_governed as handoff
    left join playbook.all_sla as sla
        on sla.playbook_version = handoff.playbook_version and sla.sla = 'answer'
        and sla.from_team = handoff.from_team and sla.to_team = handoff.to_team
),
-- Business time between two instants is a difference of totals.
started as (
    select clocked.*,
        open_us_at(calendar, offered_at) as open_us_at_offer,
        open_us_at(calendar, until_at) as open_us_until_then
    from clocked
),
used as (
    select
        started.*,
        case when clock = 'business' then open_us_until_then - open_us_at_offer
             else epoch_us(until_at) - epoch_us(offered_at)
        end as used_us,
        case when clock = 'business' then instant_of_open_us(calendar, open_us_when_due)
             else offered_at + to_microseconds(allowed_us)
        end as answer_due_at
    from (select *, open_us_at_offer + allowed_us as open_us_when_due from started) as started
)
select
    used.* exclude (playbook_version, at_risk_share, calendar, sender_calendar, clock, allowed_us, until_at,
        used_us, open_us_at_offer, open_us_until_then, open_us_when_due, answer_due_at),
    calendar,
    answer_due_at,
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
        when not is_arrived then 'not_arrived'
        when $as_of > answer_due_at then 'past_due'
        when used_us >= at_risk_share * allowed_us then 'at_risk'
        else 'waiting'
    end as state,
    playbook_version
from used
