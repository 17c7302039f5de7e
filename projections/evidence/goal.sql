-- evidence: goal
-- says: the GoalSet that set it; a goal of the playbook has none
select goal_id, 'GoalSet' as event_type, told.event_id
from funnel.goal
join facts.goal_set as told using (goal_id)
where set_by = 'event' and set_at = told.occurred_at
