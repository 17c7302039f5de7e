-- evidence: handoff_latency
-- says: what stands behind the handoff, and the buyer's first signal before it that nobody had answered
select handoff_id, event_type, event_id
from evidence.handoff
union
select handoff_id, event_type, event_id
from evidence.handoff_signal
