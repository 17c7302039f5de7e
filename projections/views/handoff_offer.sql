-- view:   handoff_offer
-- grain:  one row per handoff offered
-- key:    handoff_id
-- stored: handoff_id
-- reads:  funnel.handoff_event, funnel.lead_identity
-- says:   what was offered to whom, how it was answered each time, and whether the record it is about is still there
-- means:  Of several offers under one id the earliest stands. The first answer is the earliest acceptance or return
--         by event time, whichever arrived first.
-- columns:
--   handoff_id           the handoff
--   lead_id              the lead that was offered; of merged ones the one that survives
--   named_lead_id        the lead as the offer names it, merged or not
--   account_id           its company, where the offer names it
--   from_team            the team that offered
--   to_team              the team asked to answer
--   offered_to           the person it was offered to
--   reason               why it was offered
--   data_completeness    share of the asked-for fields filled at the offer, 0 to 1
--   previous_handoff_id  the returned handoff this one recycles
--   offered_at           when it was offered, by the source's clock
--   offer_recorded_at    when Baton accepted the offer
--   offer_event_id       the offer that stands
--   answers              every acceptance and return, in order (list of place, answer, owner, reason_code)
--   first_answer         the first of them
--   last_answer          the last of them
--   last_return          the last return among them
--   assignments          every assignment to an owner, in order (list of place, owner)
--   pauses               every pause, with its reason, and every resumption, without, in order (list of place,
--                        reason_code)
--   acknowledgements     what the offering team answered to returns, in order (list of place, disposition)
--   accepted_at          first acceptance
--   merged_at            when its lead's record was merged away after the offer; null while it is not
--   merge_event_id       the merge that did it
with
known as (
    select
        handoff_id,
        arg_min({
            'place': place, 'lead_id': lead_id, 'named_lead_id': named_lead_id, 'account_id': account_id,
            'from_team': from_team, 'to_team': to_team, 'owner': owner, 'reason': reason,
            'data_completeness': data_completeness, 'previous_handoff_id': previous_handoff_id,
            'recorded_at': recorded_at
        }, place) filter (where event_type = 'HandoffOffered') as offer,
        list_sort(list({
            'place': place,
            'answer': case event_type when 'HandoffAccepted' then 'accepted' else 'returned' end,
            'owner': owner, 'reason_code': reason_code
        }) filter (where event_type in ('HandoffAccepted', 'HandoffReturned'))) as answers,
        list_sort(list({'place': place, 'owner': owner})
            filter (where event_type = 'HandoffReassigned' and owner is not null)) as assignments,
        list_sort(list({'place': place, 'reason_code': reason_code})
            filter (where event_type in ('HandoffPaused', 'HandoffResumed'))) as pauses,
        list_sort(list({'place': place, 'disposition': disposition})
            filter (where event_type = 'FeedbackAcknowledged')) as acknowledgements,
        min(occurred_at) filter (where event_type = 'HandoffAccepted') as accepted_at
    from funnel.handoff_event
    group by handoff_id
    having offer is not null
)
select
    handoff_id,
    offer.lead_id as lead_id,
    offer.named_lead_id as named_lead_id,
    offer.account_id as account_id,
    offer.from_team as from_team,
    offer.to_team as to_team,
    offer.owner as offered_to,
    offer.reason as reason,
    offer.data_completeness as data_completeness,
    offer.previous_handoff_id as previous_handoff_id,
    offer.place.occurred_at as offered_at,
    offer.recorded_at as offer_recorded_at,
    offer.place.event_id as offer_event_id,
    answers,
    answers[1] as first_answer,
    answers[-1] as last_answer,
    list_filter(answers, lambda given: given.answer = 'returned')[-1] as last_return,
    assignments,
    pauses,
    acknowledgements,
    accepted_at,
    -- What is offered under an id that is merged already is an offer of the one that survives.
    case when merge.merged_at >= offer.place.occurred_at then merge.merged_at end as merged_at,
    case when merge.merged_at >= offer.place.occurred_at then merge.event_id end as merge_event_id
from known
left join funnel.lead_identity as merge on merge.lead_id = offer.named_lead_id
