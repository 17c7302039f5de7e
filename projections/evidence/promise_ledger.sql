-- evidence: promise_ledger
-- says: the promise, what was reported of it, the win of its deal, and the churn after it
select promise_id, 'PromiseMade' as event_type, event_id from facts.promise_made where occurred_at <= $as_of
union all
select promise_id, 'PromiseKept', event_id from facts.promise_kept where occurred_at <= $as_of
union all
select promise_id, 'PromiseMissed', event_id from facts.promise_missed where occurred_at <= $as_of
union all
select promise_id, 'OpportunityWon', won.event_id
from funnel.promise_ledger as ledger
join facts.opportunity_won as won using (opportunity_id)
where won.occurred_at = won_at
union all
select promise_id, 'SubscriptionChurned', churned.event_id
from funnel.promise_ledger as ledger
join facts.subscription_churned as churned using (account_id)
where churned.occurred_at = churned_at
