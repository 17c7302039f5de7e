-- view:   handoff
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  state.handoff, funnel.handoff_contact, funnel.lead_identity, playbook.all_member, playbook.all_team,
--         playbook.all_calendar, playbook.all_sla, playbook.all_version
-- says:   where each handoff stands, in exactly one state, with the moments that put it there
-- columns:
--   handoff_id            the handoff
--   lead_id               the lead that was offered; of merged ones the one that survives
--   account_id            its company, where known
--   from_team             the team that offered
--   to_team               the team asked to answer
--   owner                 who answered, else the last person assigned, else the person it was offered to
--   reason                why it was offered
--   data_completeness     share of the asked-for fields filled at the offer, 0 to 1
--   previous_handoff_id   the returned handoff this one recycles
--   offered_at            when it was offered, by the source's clock
--   offer_recorded_at     when Baton accepted the offer
--   answered_at           first acceptance or return, whichever arrived first
--   answer                accepted or returned: the first answer
--   last_answer           accepted or returned: the latest answer
--   accepted_at           first acceptance
--   returned_at           latest return
--   return_reason         reason code of the latest return
--   acknowledged_at       when the offering team first acknowledged a return
--   disposition           what the offering team will do about it
--   owner_since_at        when the owner's own clock started: the offer, or the last assignment before the answer
--   first_attempt_at      first human attempt to reach the buyer
--   attempts              human attempts
--   human_attempt_ats     when they were made, in order
--   automated_attempts    attempts by a sequence or bot; never an answer
--   reached_at            first two-way contact with the buyer
--   opportunities         deals that came of it
--   opportunities_lost    how many of those are lost
--   is_arrived            true once the receiving system sent any event about it
--   is_recycled           true when a later handoff names it as its predecessor
--   is_clock_suspect      true when an answer or contact lies before the offer: the clocks disagree
--   calendar              the calendar its business time is counted in: the owner's, else the team's
--   answer_due_at         when the answer is due under the playbook; null when no SLA covers the pair
--   answer_minutes_used   minutes of the answer's SLA used until the answer, or until as-of
--   state                 not_arrived, waiting, at_risk, past_due, accepted_untouched, being_worked,
--                         returned_unacknowledged, returned_acknowledged, recycled, converted or lost
--   playbook_version      the playbook it is judged by: the one in force when it was offered
with
told as (
    select
        handoff_id, offer, first_answer, last_answer, accepted_at, last_return, acknowledgement,
        reassignments,
        list_max(reassignments) as last_assignment,
        list_max(list_filter(reassignments, lambda assigned:
            assigned.occurred_at <= coalesce(first_answer.occurred_at, clock.as_of))) as assignment_before_answer
    from state.handoff
    cross join (select $as_of as as_of) as clock
    where offer is not null
),
recycled as (
    select distinct offer.previous_handoff_id as handoff_id
    from state.handoff
    where offer.previous_handoff_id is not null
),
owned as (
    select
        told.*, contact.* exclude (handoff_id),
        coalesce(first_answer.owner, last_assignment.to_owner, offer.owner) as owner,
        recycled.handoff_id is not null as is_recycled
    from told
    left join funnel.handoff_contact as contact using (handoff_id)
    left join recycled using (handoff_id)
),
version as (
    select all_version.playbook_version, at_risk_share, calendar as first_calendar,
        coalesce(in_force_from, '-infinity'::timestamptz) as governs_from
    from playbook.all_version
    join playbook.all_calendar using (playbook_version)
    where position = 0
),
-- A playbook signed later judges what is offered later; a verdict keeps its version.
governed as (
    select owned.*, version.playbook_version, version.at_risk_share, version.first_calendar
    from owned
    asof left join version on owned.offer.occurred_at >= version.governs_from
),
placed as (
    select
        governed.*,
        coalesce(member.calendar, team.calendar, governed.first_calendar) as calendar,
        sla.clock, sla.allowed_us
    from governed
    left join playbook.all_member as member
        on member.playbook_version = governed.playbook_version and member.owner = governed.owner
    left join playbook.all_team as team
        on team.playbook_version = governed.playbook_version and team.team = governed.offer.to_team
    left join playbook.all_sla as sla
        on sla.playbook_version = governed.playbook_version and sla.sla = 'answer'
        and sla.from_team = governed.offer.from_team and sla.to_team = governed.offer.to_team
),
-- Business time between two instants is a difference of totals.
started as (
    select placed.*,
        open_us_at(calendar, offered_at) as open_us_at_offer,
        open_us_at(calendar, until_at) as open_us_until_then
    from (
        select *, offer.occurred_at as offered_at, coalesce(first_answer.occurred_at, $as_of) as until_at
        from placed
    ) as placed
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
),
flagged as (
    select
        used.*,
        human_attempt_ats[1] as first_attempt_at,
        coalesce(len(human_attempt_ats), 0) as attempts,
        reassignments is not null or first_answer is not null or human_attempt_ats is not null
            or automated_attempts > 0 or reached_at is not null or opportunities > 0 as is_arrived
    from used
)
select
    handoff_id,
    coalesce(surviving_lead_id, offer.lead_id) as lead_id,
    offer.account_id as account_id,
    offer.from_team as from_team,
    offer.to_team as to_team,
    owner,
    offer.reason as reason,
    offer.data_completeness as data_completeness,
    offer.previous_handoff_id as previous_handoff_id,
    offered_at,
    offer.recorded_at as offer_recorded_at,
    first_answer.occurred_at as answered_at,
    first_answer.answer as answer,
    last_answer.answer as last_answer,
    accepted_at,
    last_return.occurred_at as returned_at,
    last_return.reason_code as return_reason,
    acknowledgement.occurred_at as acknowledged_at,
    acknowledgement.disposition as disposition,
    greatest(offer.occurred_at, assignment_before_answer.occurred_at) as owner_since_at,
    first_attempt_at,
    attempts,
    human_attempt_ats,
    automated_attempts,
    reached_at,
    opportunities,
    opportunities_lost,
    is_arrived,
    is_recycled,
    coalesce(least(first_answer.occurred_at, first_attempt_at, reached_at) < offer.occurred_at, false)
        as is_clock_suspect,
    calendar,
    answer_due_at,
    used_us / 60000000.0::double as answer_minutes_used,
    case
        when opportunities > 0 and opportunities = opportunities_lost then 'lost'
        when opportunities > 0 then 'converted'
        when last_answer.answer = 'returned' and is_recycled then 'recycled'
        when last_answer.answer = 'returned' and acknowledgement.disposition = 'disqualify' then 'lost'
        when last_answer.answer = 'returned' and acknowledgement is not null then 'returned_acknowledged'
        when last_answer.answer = 'returned' then 'returned_unacknowledged'
        when last_answer.answer = 'accepted' and (attempts > 0 or reached_at is not null) then 'being_worked'
        when last_answer.answer = 'accepted' then 'accepted_untouched'
        when not is_arrived then 'not_arrived'
        when $as_of > answer_due_at then 'past_due'
        when used_us >= at_risk_share * allowed_us then 'at_risk'
        else 'waiting'
    end as state,
    playbook_version
from flagged
left join funnel.lead_identity as identity on identity.lead_id = flagged.offer.lead_id
