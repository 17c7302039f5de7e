-- evidence: promise_churn
-- says: of each customer in the state what first made them one, what was promised and reported before they
--         left, and how they left
with
customer as (
    select account_id,
        min({'at': occurred_at, 'event_id': event_id, 'event_type': event_type}) as first,
        min({'at': occurred_at, 'event_id': event_id, 'event_type': event_type})
            filter (where event_type = 'SubscriptionChurned') as churn
    from facts.event
    where occurred_at <= $as_of and event_type in ('CustomerOnboarded', 'SubscriptionRenewed',
        'SubscriptionExpanded', 'SubscriptionContracted', 'SubscriptionChurned')
    group by account_id
),
stated as (
    select account_id, first, churn, list(promise_id) filter (where promise_id is not null) as promises,
        case
            when count(promise_id) = 0 then 'none_made'
            when bool_or(state = 'missed') then 'some_missed'
            when bool_or(state = 'kept') then 'all_kept'
            else 'none_settled'
        end as promise_state
    from customer
    left join funnel.promise_ledger as ledger using (account_id)
    where promise_id is null or churn is null or made_at < churn.at
    group by all
),
-- Customers whose promises were all made after they left: as if none had been made.
complete as (
    select account_id, first, churn, promises, promise_state from stated
    union all
    select account_id, first, churn, null, 'none_made' from customer anti join stated using (account_id)
)
select promise_state, said.event_type as event_type, said.event_id as event_id
from (select promise_state, unnest([first, churn]) as said from complete)
where said is not null
union all
select promise_state, event_type, event_id
from (select promise_state, unnest(promises) as promise_id from complete)
join evidence.promise_ledger using (promise_id)
where event_type like 'Promise%'
