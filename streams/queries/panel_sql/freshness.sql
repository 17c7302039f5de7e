select source, sum(events)::bigint as events, max(last_recorded_at) as last_recorded_at,
    min(minutes_since_last) as minutes_since_last, max(p95_delay_minutes) as p95_delay_minutes,
    min(log_lost_at) as log_lost_at
from funnel.freshness group by source order by minutes_since_last desc, source
