select cause, owner_team, amount, plan, actual, gap, n, is_enough, says, currency
from funnel.gap_bridge where period = $period order by position
