-- view:   subscription_term
-- grain:  one row per subscription that runs
-- key:    account_id, subscription_id
-- reads:  funnel.subscription_event, funnel.subscription_revenue, playbook.version
-- says:   which subscriptions are past their term: nobody has renewed or ended them, and their revenue still counts
-- means:  A subscription runs until a churn ends it. Its term is what its last onboarding or renewal says; one that
--         names no last day leaves the term open. It is past its term from the day after, in the playbook's zone.
--         Its yearly revenue stays in every number until an event ends or changes it: nothing is guessed.
-- columns:
--   account_id        the company
--   subscription_id   the subscription
--   began_at          when the term began: the last onboarding or renewal
--   term_ends_on      last day of the term; null when it is open
--   state             in_term, past_term or open_ended
--   days_past         days since the term ended; null unless it is past
--   amount            yearly revenue that counts now, in the goals' currency (decimal); null when it is unpriced
--   currency          the goals' currency
--   playbook_version  the playbook whose rates and zone these are
with
subscription as (
    select account_id, subscription_id,
        max({'place': place, 'event_type': event_type}).event_type as last_event,
        max({'place': place, 'occurred_at': occurred_at, 'term_ends_on': term_ends_on})
            filter (where event_type in ('CustomerOnboarded', 'SubscriptionRenewed')) as term
    from funnel.subscription_event
    group by account_id, subscription_id
),
revenue as (
    select account_id, subscription_id, amount from funnel.subscription_revenue where until_at is null
)
select
    account_id,
    subscription_id,
    term.occurred_at as began_at,
    term.term_ends_on as term_ends_on,
    case when term.term_ends_on is null then 'open_ended' when days_left < 0 then 'past_term' else 'in_term' end
        as state,
    case when days_left < 0 then -days_left end as days_past,
    amount,
    currency,
    playbook_version
from subscription
cross join playbook.version
cross join lateral (select term.term_ends_on - ($as_of at time zone zone)::date as days_left)
left join revenue using (account_id, subscription_id)
where last_event <> 'SubscriptionChurned'
