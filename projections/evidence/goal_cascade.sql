-- evidence: goal_cascade
-- says: the events by which leads came to the step (see goal_cases); of the revenue, the wins it was booked with
select goal_id, step, event_type, event_id
from evidence.goal_cases
union all
select goal_id, 'revenue' as step, event_type, event_id
from evidence.goal_attainment as attained
join funnel.goal as goal using (period, owner_team, metric)
where goal_id in (select goal_id from funnel.goal_cases)
