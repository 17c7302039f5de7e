select topic, stage, event_type, count(*) as records, sum(count(*)) over (partition by true)::bigint as all_records
from funnel.failed_events group by topic, stage, event_type
order by records desc, topic, stage, event_type limit $most_shown
