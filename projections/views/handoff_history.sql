-- view:   handoff_history
-- grain:  one row per handoff offered
-- key:    handoff_id
-- stored: handoff_id
-- reads:  funnel.handoff_offer, funnel.handoff_contact
-- says:   what happened to each handoff, whatever the playbook says about it
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
--   acknowledged_at       when the offering team first acknowledged the latest return
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
--   merged_at             when its lead's record was merged away after the offer; null while it is not
--   offered_to            the person it was offered to
--   answers               every acceptance and return, in order (list of place, answer, owner, reason_code)
--   assignments           every assignment to an owner, in order (list of place, owner)
--   pauses                every pause and resumption, in order (list of place, reason_code; null for a resumption)
--   acknowledgements      what the offering team answered to returns, in order (list of place, disposition)
--   reached_ats           when there was two-way contact, in order
--   deal_opened_ats       when deals that came of it were opened, in order
--   offered_again_ats     when later handoffs that name it as their predecessor were offered, in order
with
handoff as materialized (
    select *,
        -- What is assigned after the answer changes nothing of it.
        list_filter(assignments, lambda assigned:
            coalesce(assigned.place.occurred_at <= first_answer.place.occurred_at, true))[-1] as assigned,
        list_filter(acknowledgements, lambda given: given.place > last_return.place)[1] as acknowledgement
    from funnel.handoff_offer
),
following as (
    select previous_handoff_id as handoff_id, list_sort(list(offered_at)) as offered_again_ats
    from handoff
    where previous_handoff_id <> handoff_id
    group by previous_handoff_id
)
select
    handoff_id,
    lead_id,
    account_id,
    from_team,
    to_team,
    coalesce(first_answer.owner, assigned.owner, assignments[-1].owner, offered_to) as owner,
    reason,
    data_completeness,
    previous_handoff_id,
    offered_at,
    offer_recorded_at,
    first_answer.place.occurred_at as answered_at,
    first_answer.answer as answer,
    last_answer.answer as last_answer,
    accepted_at,
    last_return.place.occurred_at as returned_at,
    last_return.reason_code as return_reason,
    acknowledgement.place.occurred_at as acknowledged_at,
    acknowledgement.disposition as disposition,
    greatest(offered_at, assigned.place.occurred_at) as owner_since_at,
    human_attempt_ats[1] as first_attempt_at,
    coalesce(len(human_attempt_ats), 0) as attempts,
    human_attempt_ats,
    automated_attempts,
    reached_at,
    opportunities,
    opportunities_lost,
    assignments is not null or answered_at is not null or attempts > 0 or automated_attempts > 0
        or reached_at is not null or opportunities > 0 as is_arrived,
    offered_again_ats is not null as is_recycled,
    coalesce(least(answered_at, first_attempt_at, reached_at) < offered_at, false) as is_clock_suspect,
    merged_at,
    offered_to,
    answers,
    assignments,
    pauses,
    acknowledgements,
    reached_ats,
    deal_opened_ats,
    offered_again_ats
from handoff
left join funnel.handoff_contact using (handoff_id)
left join following using (handoff_id)
