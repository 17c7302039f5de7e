-- evidence: black_hole
-- says: the offer of each handoff in the state, one event each
select state, 'HandoffOffered' as event_type, told.offer.event_id as event_id
from funnel.handoff as handoff
join state.handoff as told using (handoff_id)
