select looked_on, horizon, closes_in, open_pipeline_now, deals_now, goal_left_now, coverage_now, unpriced, currency
from funnel.pipeline_coverage where looked_on = $today
order by case horizon when 'current' then 1 when 'next' then 2 when 'two_out' then 3 when 'later' then 4
    when 'overdue' then 5 else 6 end
