-- evidence: gap_bridge
-- says: the events by which leads came to the cause's step, as in goal_cases; of retention and of what is
--         unexplained, those of the attained goal
select goal_id, unnest(causes) as cause, event_type, event_id
from evidence.goal_cases
join (
    values ('captured', ['volume']), ('qualified', ['qualification']), ('accepted', ['acceptance']),
        ('opportunities', ['speed']), ('won', ['win_rate', 'deal_size'])
) as steps(step, causes) using (step)
union all
select goal.goal_id, case attained.metric when 'revenue' then 'unexplained' else 'retention' end as cause,
    event_type, event_id
from evidence.goal_attainment as attained
join funnel.goal as goal using (period)
where goal.metric = 'revenue' and goal.period like '%-Q%' and goal.goal_amount is not null
    and (attained.metric = 'retained_revenue'
        or attained.metric = 'revenue' and attained.owner_team = goal.owner_team)
