-- view:   subscription_event
-- grain:  one row per onboarding, renewal, expansion, contraction or churn
-- key:    event_type, event_id
-- reads:  resolved.customer_onboarded, resolved.subscription_renewed, resolved.subscription_expanded,
--         resolved.subscription_contracted, resolved.subscription_churned, playbook.rate
-- says:   what each event of a customer does to the yearly revenue of a subscription
-- means:  Onboarding, renewal and churn set the yearly revenue of the subscription; expansion and contraction change
--         it. An onboarding that names no subscription starts the first one that the company's events name. An
--         amount that is missing or has no rate stays null: it is counted as unpriced and never guessed.
-- columns:
--   event_type       CustomerOnboarded, SubscriptionRenewed, SubscriptionExpanded, SubscriptionContracted or
--                    SubscriptionChurned
--   event_id         the event
--   account_id       the company
--   subscription_id  the subscription; empty when the company's events name none
--   occurred_at      when it happened
--   is_new_amount    true when the amount is the yearly revenue from then on, false when it is a change of it
--   amount           in the goals' currency: 0 for a churn, below 0 for a contraction (decimal); null when unpriced
with
customer_event as (
    select 'CustomerOnboarded' as event_type, event_id, account_id, subscription_id, occurred_at, amount, currency
    from resolved.customer_onboarded
    union all by name
    select 'SubscriptionRenewed' as event_type, event_id, account_id, subscription_id, occurred_at, amount, currency
    from resolved.subscription_renewed
    union all by name
    select 'SubscriptionExpanded' as event_type, event_id, account_id, subscription_id, occurred_at, amount, currency
    from resolved.subscription_expanded
    union all by name
    select 'SubscriptionContracted' as event_type, event_id, account_id, subscription_id, occurred_at, amount,
        currency
    from resolved.subscription_contracted
    union all by name
    select 'SubscriptionChurned' as event_type, event_id, account_id, subscription_id, occurred_at, 0 as amount
    from resolved.subscription_churned
)
select
    event_type,
    event_id,
    account_id,
    coalesce(
        subscription_id,
        first_value(subscription_id ignore nulls) over (
            partition by account_id order by occurred_at, event_id, event_type
            rows between unbounded preceding and unbounded following),
        '') as subscription_id,
    occurred_at,
    event_type in ('CustomerOnboarded', 'SubscriptionRenewed', 'SubscriptionChurned') as is_new_amount,
    case event_type
        when 'SubscriptionChurned' then 0
        when 'SubscriptionContracted' then -converted(amount, rate)
        else converted(amount, rate)
    end::decimal(38,2) as amount
from customer_event
left join playbook.rate as rate on rate.currency = customer_event.currency
