-- view:   account_churn
-- grain:  one row per company and instant at which it has left
-- key:    account_id, churned_at
-- stored: account_id
-- reads:  funnel.subscription_event
-- says:   when a company left: its last subscription ended, and it had none any more
-- means:  A subscription runs from its first event until a churn ends it, and again from the next event on; one whose
--         first event is a churn ran before. A company that changes its plan, so that one subscription ends and
--         another one begins in the same instant, has not left. Amounts play no part.
-- columns:
--   account_id    the company
--   churned_at    when it left
--   event_id      the churn that ended its last subscription; of several the last by place
--   churn_reason  the reason of that churn
with
subscription_change as (
    select account_id, occurred_at, place, event_id, reason_code, event_type = 'SubscriptionChurned' as is_end,
        lag(is_end) over of_subscription as was_ended,
        row_number() over of_subscription = 1 as is_first
    from funnel.subscription_event
    window of_subscription as (partition by account_id, subscription_id order by place)
),
-- Subscriptions begun less ended, instant by instant. One that ran before its first event counts as begun before.
account_change as (
    select account_id, occurred_at,
        count(*) filter (where not is_end and (is_first or was_ended)) as begun,
        count(*) filter (where is_end and (is_first or not was_ended)) as ended,
        count(*) filter (where is_end and is_first) as ran_before,
        max({'place': place, 'event_id': event_id, 'reason_code': reason_code}) filter (where is_end) as churn
    from subscription_change
    group by account_id, occurred_at
),
subscription_count as (
    select account_id, occurred_at, churn, ended,
        sum(begun - ended) over (partition by account_id order by occurred_at)
            + sum(ran_before) over (partition by account_id) as running
    from account_change
)
select
    account_id,
    occurred_at as churned_at,
    churn.event_id as event_id,
    churn.reason_code as churn_reason
from subscription_count
where running = 0 and ended > 0
