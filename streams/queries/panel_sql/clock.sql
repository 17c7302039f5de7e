select from_team, to_team, offered, n, p50_minutes, p90_minutes, p95_minutes, p50_elapsed, sla_judged, sla_due,
    sla_past_due, sla_kept_share, clock_suspect
from funnel.handoff_pair_slice where $slice order by offered desc, from_team, to_team
