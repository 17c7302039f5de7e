-- evidence: subscription_term
-- says: every event of the subscription
select account_id, subscription_id, event_type, event_id
from funnel.subscription_term
join funnel.subscription_event using (account_id, subscription_id)
