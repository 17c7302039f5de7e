-- view:   promise_ledger
-- grain:  one row per promise made
-- key:    promise_id
-- reads:  funnel.account_churn, funnel.deal_event, resolved.promise_made, resolved.promise_kept,
--         resolved.promise_missed, resolved.customer_onboarded, playbook.version
-- says:   what the buyer was promised before the deal was won, whether it was kept, and whether they left afterwards
-- means:  The first report of a promise counts. The latest report of its outcome decides between kept and missed, so
--         one that arrives late, even after the customer has left, revises the row. Overdue: its day has passed in
--         the playbook's zone and no outcome is reported. The win is the first one of the deal that the promise
--         names; a promise that names none counts from the company's first onboarding. The company has left when its
--         last subscription ended, see account_churn.
-- columns:
--   promise_id               the promise
--   account_id               the company it was made to
--   opportunity_id           the deal it was made in, where known
--   made_by                  who promised
--   promise                  what was promised
--   made_at                  when
--   due_on                   by which day, where one was named
--   won_at                   when its deal was first won; null while it is not
--   is_before_win            true when made before the win, or while there is none
--   state                    kept, missed, overdue or open
--   settled_at               when it was first reported kept or missed
--   is_reported_after_churn  true when the first report came after the customer had left
--   churned_at               when the company first left after the promise
--   is_churned               true when it left
--   churn_reason             the reason
--   playbook_version         the playbook whose zone ends the day
with
promise as (
    from resolved.promise_made
    qualify row_number() over (partition by promise_id order by occurred_at, event_id) = 1
),
settled as (
    select promise_id, min(occurred_at) as settled_at,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'outcome': outcome}).outcome as outcome
    from (
        select promise_id, occurred_at, event_id, 'kept' as outcome from resolved.promise_kept
        union all
        select promise_id, occurred_at, event_id, 'missed' as outcome from resolved.promise_missed
    )
    group by promise_id
),
first_win as (
    select opportunity_id, min(occurred_at) as first_won_at
    from funnel.deal_event
    where event_type = 'OpportunityWon'
    group by opportunity_id
),
onboarding as (
    select account_id, min(occurred_at) as onboarded_at from resolved.customer_onboarded group by account_id
),
promise_of_deal as (
    select promise.*,
        case when opportunity_id is null then onboarded_at else first_won_at end as won_at
    from promise
    left join first_win using (opportunity_id)
    left join onboarding using (account_id)
)
select
    promise_id,
    promise.account_id,
    opportunity_id,
    made_by,
    promise.promise,
    occurred_at as made_at,
    due_on,
    won_at,
    coalesce(made_at <= won_at, true) as is_before_win,
    case
        when outcome is not null then outcome
        when $as_of >= day_begins((due_on + 1)::date, zone) then 'overdue'
        else 'open'
    end as state,
    settled_at,
    coalesce(settled_at > churned_at, false) as is_reported_after_churn,
    churned_at,
    churned_at is not null as is_churned,
    churn_reason,
    playbook_version
from promise_of_deal as promise
cross join playbook.version
left join settled using (promise_id)
asof left join funnel.account_churn as churn
    on churn.account_id = promise.account_id and promise.occurred_at < churn.churned_at
