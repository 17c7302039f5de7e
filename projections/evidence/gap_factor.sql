-- evidence: gap_factor
-- says: the events by which leads reached the factor's step, as in goal_cases
select goal_id, unnest(factors) as factor, event_type, event_id
from evidence.goal_cases
join (
    values ('captured', ['volume']), ('qualified', ['qualification']), ('accepted', ['acceptance']),
        ('opportunities', ['speed']), ('won', ['win_rate', 'deal_size'])
) as steps(step, factors) using (step)
