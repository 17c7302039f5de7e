select state, coalesce(counted.handoffs, 0) as handoffs, counted.oldest_offered_at, known.says
from funnel.black_hole as known
left join (
    select state, handoffs, oldest_offered_at from funnel.black_hole_slice where $slice
) as counted using (state) order by position
