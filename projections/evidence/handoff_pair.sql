-- evidence: handoff_pair
-- says: the offer of each handoff of the pair, and its first answer
select from_team, to_team, 'HandoffOffered' as event_type, offer_event_id as event_id
from funnel.handoff_offer
union all
select from_team, to_team, 'Handoff' || upper(first_answer.answer[1]) || first_answer.answer[2:],
    first_answer.place.event_id
from funnel.handoff_offer
where first_answer is not null
