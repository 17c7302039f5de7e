-- evidence: handoff_pair
-- says: the offer of each handoff of the pair, and its first answer
select from_team, to_team, 'HandoffOffered' as event_type, told.offer.event_id as event_id
from funnel.handoff as handoff
join state.handoff as told using (handoff_id)
union all
select from_team, to_team, 'Handoff' || upper(answer[1]) || answer[2:], told.first_answer.event_id
from funnel.handoff as handoff
join state.handoff as told using (handoff_id)
where handoff.answer is not null
