-- evidence: sla_kept
-- says: what stands behind each obligation: the events that began and ended it, of attempts each of them, and who was
--         assigned to it, paused or resumed it meanwhile
select dimension, dimension_value(dimension, value) as value, window_unit,
    window_of(starts_at at time zone zone, window_unit, week_begins, fiscal_year_begins) as window_start,
    sla, owed_by, event_type, event_id
from funnel.obligation
join evidence.obligation using (handoff_id, sla, episode)
join (select handoff_id, lead_id from funnel.handoff_offer) using (handoff_id)
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
