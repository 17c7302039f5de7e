-- view:   promise_churn
-- grain:  one row per promise state of a customer, empty ones too
-- key:    promise_state
-- reads:  funnel.customer_promise_state, playbook.version
-- says:   how many customers left, by what became of the promises made to them
-- means:  A customer is a company that was onboarded or has a subscription. It has left when it had no subscription any
--         more (see account_churn), even if it came back. Promises made after it first left do not explain that, and do not count; the
--         outcome of earlier ones counts whenever it is reported. This is a correlation, not a cause.
-- columns:
--   promise_state     some_missed (at least one), all_kept (all that were settled), none_settled or none_made
--   customers         customers in that state
--   churned           those of them that left
--   churn_rate        churned / customers; null without customers
--   n                 customers: the cases the rate rests on
--   is_enough         true when n reaches the playbook's minimum
--   playbook_version  the playbook that sets the minimum
select
    listed.promise_state,
    count(account_id) as customers,
    count(churned_at) as churned,
    count(churned_at) / nullif(count(account_id), 0) as churn_rate,
    count(account_id) as n,
    n >= any_value(minimum_n) as is_enough,
    any_value(playbook_version) as playbook_version
from (
    values (1, 'all_kept'), (2, 'some_missed'), (3, 'none_settled'), (4, 'none_made')
) as listed(position, promise_state)
cross join playbook.version
left join funnel.customer_promise_state using (promise_state)
group by position, listed.promise_state
order by position
