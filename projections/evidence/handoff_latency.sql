-- evidence: handoff_latency
-- says: what stands behind the handoff, and the buyer's last signal before it
select handoff_id, event_type, event_id
from evidence.handoff
union all
select handoff_id, 'TouchRecorded' as event_type, event_id
from funnel.handoff_latency as latency
join resolved.touch_recorded as touch on touch.lead_id = latency.lead_id and occurred_at = signal_at
where is_inbound and not is_automated
