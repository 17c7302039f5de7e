-- evidence: goal_cascade
-- says: the events by which leads reached the step (see goal_cases); of the revenue, the wins it was booked
--         with
select goal_id, step, event_type, event_id
from evidence.goal_cases
union all
select goal_id, 'revenue' as step, event_type, event_id
from evidence.goal_attainment as attained
join funnel.goal as goal using (period, owner_team, metric, scope)
where metric = 'revenue' and contains(period, '-') and goal.scope = 'company' and goal_amount is not null
