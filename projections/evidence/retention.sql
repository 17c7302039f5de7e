-- evidence: retention
-- says: everything told of onboardings and subscriptions until the quarter's end: the revenue at its start
--         and at its end is made of it
select period, event_type, event_id
from funnel.retention
cross join playbook.version
join facts.event as told
    on occurred_at < day_begins((ends_on + 1)::date, zone) and occurred_at <= $as_of
where event_type in ('CustomerOnboarded', 'SubscriptionRenewed', 'SubscriptionExpanded',
    'SubscriptionContracted', 'SubscriptionChurned')
