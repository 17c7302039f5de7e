-- evidence: account_churn
-- says: every event of the company's subscriptions until then
select account_id, churned_at, event_type, event.event_id
from funnel.account_churn
join funnel.subscription_event as event using (account_id)
where occurred_at <= churned_at
