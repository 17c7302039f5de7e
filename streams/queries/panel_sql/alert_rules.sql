select rule, count(*) as opened,
    count(*) filter (where state = 'opened') as waiting,
    count(*) filter (where state = 'acknowledged') as acknowledged,
    count(*) filter (where state = 'snoozed') as snoozed,
    count(*) filter (where state = 'resolved') as resolved,
    count(*) filter (where state = 'retracted') as retracted,
    max(opened_at) as latest_at
from funnel.alert
group by rule order by rule
