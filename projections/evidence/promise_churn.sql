-- evidence: promise_churn
-- says: of each customer in the state: the event that first made it a customer, the churn by which it first left, and the promises
--         made before that with what was reported of them
with
customer_event as (
    select account_id, event_type, event_id
    from funnel.subscription_event
    qualify row_number() over (partition by account_id order by place) = 1
    union all
    select account_id, 'SubscriptionChurned', event_id
    from funnel.account_churn
    qualify row_number() over (partition by account_id order by churned_at) = 1
    union all
    select ledger.account_id, event_type, event_id
    from funnel.promise_ledger as ledger
    join evidence.promise_ledger using (promise_id)
    join funnel.customer_promise_state as customer using (account_id)
    where event_type like 'Promise%' and (customer.churned_at is null or made_at < customer.churned_at)
)
select promise_state, event_type, event_id
from funnel.customer_promise_state
join customer_event using (account_id)
