-- evidence: gap_bridge
-- says: the events behind the factor, see gap_factor; of retention and of what is unexplained, those of the goal's
--         attainment
select goal_id, factor as cause, event_type, event_id
from evidence.gap_factor
union all
select goal.goal_id, case attained.metric when 'revenue' then 'unexplained' else 'retention' end as cause,
    event_type, event_id
from evidence.goal_attainment as attained
join funnel.goal as goal using (period)
where goal.metric = 'revenue' and goal.period like '%-Q%' and goal.goal_amount is not null
    and (attained.metric = 'retained_revenue'
        or attained.metric = 'revenue' and attained.owner_team = goal.owner_team and attained.scope = goal.scope)
