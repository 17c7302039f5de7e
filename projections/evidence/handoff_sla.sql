-- evidence: handoff_sla
-- says: what stands behind the latest time it was owed: the events that began and ended it, of attempts each of them, and
--         who was assigned to it, paused or resumed it meanwhile
select handoff_id, sla, event_type, event_id
from evidence.obligation
join funnel.handoff_sla using (handoff_id, sla, episode)
