-- evidence: dispute
-- says: how it was opened and how it was settled
select dispute_id, 'DisputeOpened' as event_type, event_id
from facts.dispute_opened where occurred_at <= $as_of
union all
select dispute_id, 'DisputeResolved', event_id from facts.dispute_resolved where occurred_at <= $as_of
