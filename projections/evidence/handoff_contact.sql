-- evidence: handoff_contact
-- says: the attempts, contacts and deals among what stands behind the handoff
select handoff_id, event_type, event_id
from evidence.handoff
where event_type in ('ContactAttempted', 'BuyerReached', 'OpportunityOpened')
