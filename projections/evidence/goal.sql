-- evidence: goal
-- says: the GoalSet that set it; a goal of the playbook has none
select goal_id, 'GoalSet' as event_type, goal_set.event_id
from funnel.goal
join resolved.goal_set as goal_set using (goal_id)
where set_by = 'event' and set_at = goal_set.occurred_at
