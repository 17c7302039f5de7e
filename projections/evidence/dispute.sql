-- evidence: dispute
-- says: how it was opened and how it was settled
select dispute_id, 'DisputeOpened' as event_type, event_id from resolved.dispute_opened
union all
select dispute_id, 'DisputeResolved', event_id from resolved.dispute_resolved
