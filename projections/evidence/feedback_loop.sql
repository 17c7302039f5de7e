-- evidence: feedback_loop
-- says: the latest return of each handoff, and what the offering team first answered
select from_team, to_team, return_reason as reason_code,
    'HandoffReturned' as event_type, merged.last_return.event_id as event_id
from funnel.handoff_history as handoff
join resolved.handoff as merged using (handoff_id)
where returned_at <= $as_of
union all
select from_team, to_team, return_reason, 'FeedbackAcknowledged', merged.acknowledgement.event_id
from funnel.handoff_history as handoff
join resolved.handoff as merged using (handoff_id)
where returned_at <= $as_of and handoff.acknowledged_at <= $as_of
