select topic, stage, reason, count(*) as records, sum(count(*)) over (partition by true)::bigint as all_records
from funnel.failed_events group by topic, stage, reason order by records desc, topic, stage, reason limit $most_shown
