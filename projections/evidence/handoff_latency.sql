-- evidence: handoff_latency
-- says: what stands behind the handoff, and the buyer's last signal before it
select handoff_id, event_type, event_id
from evidence.handoff
union all
select handoff_id, 'TouchRecorded' as event_type, touch.event_id
from facts.touch_recorded as touch
left join funnel.lead_identity as identity on identity.lead_id = touch.lead_id
join funnel.handoff_latency as latency
    on latency.lead_id = coalesce(surviving_lead_id, touch.lead_id) and signal_at = occurred_at
where is_inbound and not is_automated
