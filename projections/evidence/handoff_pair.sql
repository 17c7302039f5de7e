-- evidence: handoff_pair
-- says: the offer of each handoff of the pair, and its first answer
select offer.from_team as from_team, offer.to_team as to_team, 'HandoffOffered' as event_type,
    offer.event_id as event_id
from resolved.handoff
union all
select offer.from_team, offer.to_team, 'Handoff' || upper(first_answer.answer[1]) || first_answer.answer[2:],
    first_answer.event_id
from resolved.handoff
where first_answer is not null
