-- view:   subscription_revenue
-- grain:  one row per subscription and instant at which its yearly revenue is set or changes
-- key:    account_id, subscription_id, from_at
-- stored: account_id
-- reads:  funnel.subscription_event
-- says:   the yearly recurring revenue (ARR) of each subscription over time
-- means:  An onboarding starts it, again too; a renewal sets it, an expansion adds, a contraction subtracts down to
--         zero, a churn ends it. Events of one instant count in the order of their meaning, see
--         subscription_event. Unpriced events change nothing.
-- columns:
--   account_id       the company
--   subscription_id  the subscription
--   from_at          since when
--   until_at         until the next row begins; null for the last one
--   amount           yearly revenue in between, in the goals' currency; never below 0 (decimal)
--   exact_amount     the same before it is rounded to cents, for sums (decimal)
with
-- A term lasts from one event that sets the revenue to the next: within it, changes add up.
term_event as (
    select account_id, subscription_id, occurred_at, place, exact_amount as amount,
        count(*) filter (where is_new_amount) over (
            partition by account_id, subscription_id order by place rows unbounded preceding) as term
    from funnel.subscription_event
    where amount is not null
),
running_total as (
    select *,
        sum(amount) over (
            partition by account_id, subscription_id, term order by place rows unbounded preceding) as total
    from term_event
),
-- Never below zero: what the sum has fallen below zero so far is added back.
revenue as (
    select account_id, subscription_id, occurred_at as from_at,
        lead(occurred_at) over (partition by account_id, subscription_id order by place) as until_at,
        (total - least(0, min(total) over (
            partition by account_id, subscription_id, term order by place
            rows unbounded preceding)))::decimal(38,12) as exact_amount
    from running_total
)
select
    account_id,
    subscription_id,
    from_at,
    until_at,
    cents(exact_amount) as amount,
    exact_amount
from revenue
where until_at is distinct from from_at
