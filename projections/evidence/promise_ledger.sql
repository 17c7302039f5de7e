-- evidence: promise_ledger
-- says: the promise, what was reported of it, the first win of its deal, and the churn after it
with
ledger as materialized (
    select promise_id, account_id, opportunity_id, won_at, churned_at from funnel.promise_ledger
)
select promise_id, 'PromiseMade' as event_type, event_id from resolved.promise_made
union all
select promise_id, 'PromiseKept', event_id from resolved.promise_kept
union all
select promise_id, 'PromiseMissed', event_id from resolved.promise_missed
union all
select promise_id, event_type, event_id
from ledger
join funnel.deal_event as event using (opportunity_id)
where event_type = 'OpportunityWon' and event.occurred_at = won_at
union all
select promise_id, 'SubscriptionChurned', event_id
from ledger
join funnel.account_churn using (account_id, churned_at)
