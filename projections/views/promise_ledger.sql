-- view:   promise_ledger
-- grain:  one row per promise made
-- key:    promise_id
-- reads:  facts.promise_made, facts.promise_kept, facts.promise_missed, facts.opportunity_won,
--         facts.customer_onboarded, facts.subscription_churned, playbook.version
-- says:   what the buyer was promised before the deal was won, whether it was kept, and whether they left
--         afterwards
-- means:  The first telling of a promise stands. The latest report decides between kept and missed, so a
--         report that comes late, even after the customer has left, revises the row. Overdue means: its day
--         has passed in the playbook's zone and nobody has said what became of it. The win is that of the
--         deal the promise names; a promise that names none counts from the company's first onboarding.
-- columns:
--   promise_id               the promise
--   account_id               the company it was made to
--   opportunity_id           the deal it was made in, where known
--   made_by                  who promised
--   promise                  what was promised
--   made_at                  when
--   due_on                   by which day, where one was named
--   won_at                   when its deal was won; null while it is not
--   is_before_win            true when made before the win, or while there is none
--   state                    kept, missed, overdue or open
--   settled_at               when it was first reported kept or missed
--   is_reported_after_churn  true when the first report came after the customer had left
--   churned_at               the company's first churn after the promise
--   is_churned               true when there is one
--   churn_reason             the reason of that churn
--   playbook_version         the playbook whose zone ends the day
with
made as (
    select * from facts.promise_made
    where occurred_at <= $as_of
    qualify row_number() over (partition by promise_id order by occurred_at, event_id) = 1
),
report as (
    select promise_id, occurred_at, event_id, 'kept' as outcome from facts.promise_kept
    union all
    select promise_id, occurred_at, event_id, 'missed' as outcome from facts.promise_missed
),
settled as (
    select promise_id, min(occurred_at) as settled_at,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'outcome': outcome}).outcome as outcome
    from report
    where occurred_at <= $as_of
    group by promise_id
),
win as (
    select opportunity_id, min(occurred_at) as won_at
    from facts.opportunity_won
    where occurred_at <= $as_of
    group by opportunity_id
),
onboarding as (
    select account_id, min(occurred_at) as onboarded_at
    from facts.customer_onboarded
    where occurred_at <= $as_of
    group by account_id
),
churn as (
    select account_id, occurred_at as churned_at, reason_code as churn_reason
    from facts.subscription_churned
    where occurred_at <= $as_of
    qualify row_number() over (partition by account_id, occurred_at order by event_id) = 1
)
select
    made.promise_id,
    made.account_id,
    made.opportunity_id,
    made.made_by,
    made.promise,
    made.occurred_at as made_at,
    made.due_on,
    case when made.opportunity_id is null then onboarded_at else win.won_at end as won_at,
    coalesce(made_at <= case when made.opportunity_id is null then onboarded_at else win.won_at end, true)
        as is_before_win,
    case
        when outcome is not null then outcome
        when $as_of >= day_begins((made.due_on + 1)::date, version.zone) then 'overdue'
        else 'open'
    end as state,
    settled_at,
    coalesce(settled_at > churn.churned_at, false) as is_reported_after_churn,
    churn.churned_at,
    churn.churned_at is not null as is_churned,
    churn.churn_reason,
    version.playbook_version
from made
cross join playbook.version as version
left join settled on settled.promise_id = made.promise_id
left join win on win.opportunity_id = made.opportunity_id
left join onboarding on onboarding.account_id = made.account_id
asof left join churn on churn.account_id = made.account_id and made.occurred_at < churn.churned_at
