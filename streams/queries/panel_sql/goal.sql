select period, metric, scope, owner_team, goal_amount, actual, attained_share, elapsed_share, expected_by_now,
    pace, gap, n, unpriced, is_part, currency
from funnel.goal_attainment where period = $period order by is_part, metric <> 'revenue', metric, owner_team
