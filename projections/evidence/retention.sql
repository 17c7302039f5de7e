-- evidence: retention
-- says: every onboarding and subscription event until the quarter's end: the revenue at its start and at its end
--         is made of them
select period, event_type, event_id
from funnel.retention
cross join playbook.version
join funnel.subscription_event on occurred_at < day_begins(ends_on + 1, zone)
