-- evidence: handoff
-- says: what names the handoff, contacts and deals of its lead that name none and belong to it, a later offer that names
--         it as its predecessor, and the merge of the record that was offered
with
offer as materialized (
    select handoff_id, merge_event_id from funnel.handoff_offer
)
select handoff_id, event_type, event_id
from facts.event
where handoff_id in (select handoff_id from offer)
union
select handoff_id, event_type, event_id
from evidence.handoff_contact_event
where handoff_id in (select handoff_id from offer)
union
select previous_handoff_id, 'HandoffOffered', event_id
from resolved.handoff_offered
where previous_handoff_id in (select handoff_id from offer)
union
select handoff_id, 'LeadsMerged', merge_event_id from offer where merge_event_id is not null
