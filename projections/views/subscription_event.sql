-- view:   subscription_event
-- grain:  one row per onboarding, renewal, expansion, contraction or churn
-- key:    event_type, event_id
-- stored: account_id
-- reads:  resolved.customer_onboarded, resolved.subscription_renewed, resolved.subscription_expanded,
--         resolved.subscription_contracted, resolved.subscription_churned, playbook.rate, playbook.version
-- says:   what each event of a customer does to the yearly revenue of a subscription, in the order in which it counts
-- means:  Onboarding, renewal and churn set the yearly revenue of the subscription; expansion and contraction change
--         it. Events of one instant count in the order of their meaning: onboarded, renewed, expanded, contracted,
--         churned; of two with the same meaning the one with the higher amount counts last. What is known by day
--         alone comes after everything of that day that is known to the minute, in the playbook's zone; an onboarding
--         known by day comes before it. An onboarding that names no subscription starts the first one that the
--         company's events name. Amounts are converted at the rate of the event's day. An amount that is missing or
--         has no rate stays null: it is counted as unpriced and never guessed.
-- columns:
--   event_type       CustomerOnboarded, SubscriptionRenewed, SubscriptionExpanded, SubscriptionContracted or
--                    SubscriptionChurned
--   event_id         the event
--   account_id       the company
--   subscription_id  the subscription; empty when the company's events name none
--   occurred_at      when it happened; when only the day is known, the day's end (its beginning, for an onboarding)
--   place            what decides between two events; later ones are greater
--   is_new_amount    true when the amount is the yearly revenue from then on, false when it is a change of it
--   amount           in the goals' currency: 0 for a churn, below 0 for a contraction (decimal); null when unpriced
--   exact_amount     the same before it is rounded to cents, for sums (decimal)
--   term_ends_on     last day of the term that an onboarding or a renewal begins, where it says so
--   reason_code      why the subscription ended
with
customer_event as (
    select 'CustomerOnboarded' as event_type, 1 as rank, event_id, account_id, subscription_id, occurred_at,
        amount, currency, term_ends_on
    from resolved.customer_onboarded
    union all by name
    select 'SubscriptionRenewed' as event_type, 2 as rank, event_id, account_id, subscription_id, occurred_at,
        amount, currency, term_ends_on
    from resolved.subscription_renewed
    union all by name
    select 'SubscriptionExpanded' as event_type, 3 as rank, event_id, account_id, subscription_id, occurred_at,
        amount, currency
    from resolved.subscription_expanded
    union all by name
    select 'SubscriptionContracted' as event_type, 4 as rank, event_id, account_id, subscription_id, occurred_at,
        amount, currency
    from resolved.subscription_contracted
    union all by name
    select 'SubscriptionChurned' as event_type, 5 as rank, event_id, account_id, subscription_id, occurred_at,
        reason_code
    from resolved.subscription_churned
),
priced_event as (
    select event.*,
        case event_type
            when 'SubscriptionChurned' then 0
            when 'SubscriptionContracted' then -converted(amount, rate)
            else converted(amount, rate)
        end::decimal(38,12) as exact_amount
    from customer_event as event
    cross join playbook.version
    left join playbook.rate as exchange
        on is_rate_of(exchange, event.currency, (occurred_at at time zone zone)::date)
)
select
    event_type,
    event_id,
    account_id,
    coalesce(
        subscription_id,
        first_value(subscription_id ignore nulls) over (
            partition by account_id order by occurred_at, rank, subscription_id
            rows between unbounded preceding and unbounded following),
        '') as subscription_id,
    occurred_at,
    {'occurred_at': occurred_at, 'rank': rank, 'amount': abs(exact_amount), 'event_id': event_id} as place,
    event_type in ('CustomerOnboarded', 'SubscriptionRenewed', 'SubscriptionChurned') as is_new_amount,
    cents(exact_amount) as amount,
    exact_amount,
    term_ends_on,
    reason_code
from priced_event
