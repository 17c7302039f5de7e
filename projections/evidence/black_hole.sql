-- evidence: black_hole
-- says: the offer of each handoff in the state, one event each
select state, 'HandoffOffered' as event_type, merged.offer.event_id as event_id
from funnel.handoff as handoff
join resolved.handoff as merged using (handoff_id)
