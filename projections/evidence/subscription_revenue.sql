-- evidence: subscription_revenue
-- says: the events of the subscription until then
select account_id, subscription_id, from_at, event_type, event_id
from funnel.subscription_revenue
join funnel.subscription_event using (account_id, subscription_id)
where occurred_at <= from_at
