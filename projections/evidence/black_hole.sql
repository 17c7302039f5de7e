-- evidence: black_hole
-- says: the offer of each handoff in the state, one event each
select state, 'HandoffOffered' as event_type, offer_event_id as event_id
from funnel.handoff
join funnel.handoff_offer using (handoff_id)
