-- view:   customer_promise_state
-- grain:  one row per company that was onboarded or has a subscription
-- key:    account_id
-- reads:  funnel.promise_ledger, funnel.subscription_event, funnel.account_churn
-- says:   what became of the promises made to each customer, and whether it left
-- means:  See promise_churn. Promises made after the customer first left do not count.
-- columns:
--   account_id     the company
--   promise_state  some_missed (at least one), all_kept (all that were settled), none_settled or none_made
--   churned_at     when it first left: it had no subscription any more; null when it did not
with
customer as (
    select account_id, min(churned_at) as churned_at
    from funnel.subscription_event
    left join funnel.account_churn using (account_id)
    group by account_id
)
select
    customer.account_id,
    case
        when count(promise_id) = 0 then 'none_made'
        when bool_or(state = 'missed') then 'some_missed'
        when bool_or(state = 'kept') then 'all_kept'
        else 'none_settled'
    end as promise_state,
    customer.churned_at
from customer
left join funnel.promise_ledger as ledger
    on ledger.account_id = customer.account_id
    and (customer.churned_at is null or made_at < customer.churned_at)
group by customer.account_id, customer.churned_at
