-- view:   promise_churn
-- grain:  one row per promise state of a customer, empty ones too
-- key:    promise_state
-- reads:  funnel.promise_ledger, facts.customer_onboarded, facts.subscription_renewed,
--         facts.subscription_expanded, facts.subscription_contracted, facts.subscription_churned,
--         playbook.version
-- says:   how many customers left, by what became of the promises made to them
-- means:  A customer is a company that was onboarded or has a subscription. They left when a subscription of
--         theirs ended, even if they came back. Promises made after they first left do not explain it, and do
--         not count; what is reported about earlier ones counts whenever it is reported. It says what went
--         together, not why.
-- columns:
--   promise_state     some_missed (at least one), all_kept (all that were settled), none_settled or none_made
--   customers         customers in that state
--   churned           of those, who left
--   churn_rate        churned / customers; null without customers
--   n                 customers: the cases the rate rests on
--   is_enough         true when n reaches the playbook's minimum
--   playbook_version  the playbook that sets the minimum
with
known(position, promise_state) as (
    values (1, 'all_kept'), (2, 'some_missed'), (3, 'none_settled'), (4, 'none_made')
),
customer as (
    select account_id, min(churned_at) as churned_at
    from (
        select account_id, occurred_at, null::timestamptz as churned_at from facts.customer_onboarded
        union all
        select account_id, occurred_at, null::timestamptz from facts.subscription_renewed
        union all
        select account_id, occurred_at, null::timestamptz from facts.subscription_expanded
        union all
        select account_id, occurred_at, null::timestamptz from facts.subscription_contracted
        union all
        select account_id, occurred_at, occurred_at from facts.subscription_churned
    )
    where occurred_at <= $as_of
    group by account_id
),
stated as (
    select
        customer.account_id,
        customer.churned_at,
        case
            when count(ledger.promise_id) = 0 then 'none_made'
            when bool_or(ledger.state = 'missed') then 'some_missed'
            when bool_or(ledger.state = 'kept') then 'all_kept'
            else 'none_settled'
        end as promise_state
    from customer
    left join funnel.promise_ledger as ledger
        on ledger.account_id = customer.account_id
        and (customer.churned_at is null or ledger.made_at < customer.churned_at)
    group by customer.account_id, customer.churned_at
)
select
    known.promise_state,
    count(stated.account_id) as customers,
    count(stated.churned_at) as churned,
    count(stated.churned_at) / nullif(count(stated.account_id), 0) as churn_rate,
    count(stated.account_id) as n,
    n >= any_value(version.minimum_n) as is_enough,
    any_value(version.playbook_version) as playbook_version
from known
cross join playbook.version as version
left join stated using (promise_state)
group by known.position, known.promise_state
order by known.position
