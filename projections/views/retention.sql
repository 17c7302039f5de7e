-- view:   retention
-- grain:  one row per quarter, from the first customer event to as-of
-- key:    period
-- reads:  facts.customer_onboarded, facts.subscription_renewed, facts.subscription_expanded,
--         facts.subscription_contracted, facts.subscription_churned, playbook.rate, playbook.version
-- says:   of the yearly revenue of the customers at the start of a quarter, how much was there at its end
-- means:  The cohort is every company with recurring revenue (ARR) at the quarter's start, and nobody else:
--         who came or came back in the quarter is shown apart and counts in neither rate. NRR = (opening +
--         expansion - contraction - churn) / opening; GRR is the same without expansion, so it is never above
--         1. As the trade does, a company's revenue at the start is held against that at the end: more is
--         expansion, less is contraction, nothing is churn; what goes up and down in between, or from one
--         subscription to another, cancels out. ARR of a subscription: onboarding starts it (again, too), a
--         renewal sets it, an expansion adds, a contraction subtracts down to nothing, a churn ends it. An
--         onboarding that names no subscription starts the first one that later events name. A quarter that
--         is still on is shown as far as it has come.
-- columns:
--   period             the quarter, in the playbook's zone
--   starts_on          its first day
--   ends_on            its last day
--   is_over            true once it has ended
--   customers          companies in the cohort
--   opening_arr        their ARR at the start (decimal)
--   expansion          what those added who have more at the end (decimal)
--   contraction        what those lost who have less, and still some (decimal)
--   churn              what those had who have none at the end (decimal)
--   closing_arr        the cohort's ARR at the end (decimal)
--   nrr                closing_arr / opening_arr; null without a cohort
--   grr                (opening_arr - contraction - churn) / opening_arr; null without a cohort
--   churned_customers  companies of the cohort with no ARR at the end
--   new_arr            ARR at the end of companies that never had any before (decimal); in no rate
--   reactivated_arr    ARR at the end of companies that had some once, and none at the start (decimal); in no rate
--   unpriced           companies with an amount that is missing or has no rate: they are not, or not wholly, in it
--   n                  companies in the cohort: the cases the rates rest on
--   is_enough          true when n reaches the playbook's minimum
--   currency           currency of the amounts: the goal's
--   playbook_version   the playbook of the rates, the zone and the minimum
with
told as (
    select * from (
        select account_id, subscription_id, occurred_at, event_id, 'onboarded' as kind, amount, currency
        from facts.customer_onboarded
        union all by name
        select account_id, subscription_id, occurred_at, event_id, 'renewed' as kind, amount, currency
        from facts.subscription_renewed
        union all by name
        select account_id, subscription_id, occurred_at, event_id, 'expanded' as kind, amount, currency
        from facts.subscription_expanded
        union all by name
        select account_id, subscription_id, occurred_at, event_id, 'contracted' as kind, amount, currency
        from facts.subscription_contracted
        union all by name
        select account_id, subscription_id, occurred_at, event_id, 'churned' as kind, amount, currency
        from facts.subscription_churned
    )
    where occurred_at <= $as_of
),
first_named as (
    select account_id,
        min({'occurred_at': occurred_at, 'event_id': event_id, 'kind': kind, 'id': subscription_id}).id as id
    from told
    where subscription_id is not null
    group by account_id
),
priced as (
    select told.account_id, coalesce(told.subscription_id, first_named.id, '') as subscription_id,
        occurred_at, event_id, kind,
        kind in ('onboarded', 'renewed', 'churned') as is_set,
        case when kind = 'churned' then 0::decimal(38,2) else converted(amount, rate.rate) end as amount
    from told
    left join first_named using (account_id)
    left join playbook.rate as rate on rate.currency = told.currency
),
-- A life is the time from one event that sets the revenue to the next: within it, amounts are added up.
lived as (
    select *,
        case when kind = 'contracted' then -amount else amount end as change,
        count(*) filter (where is_set) over (
            partition by account_id, subscription_id order by occurred_at, event_id, kind
            rows unbounded preceding) as life
    from priced
    where amount is not null
),
summed as (
    select *, sum(change) over (
        partition by account_id, subscription_id, life order by occurred_at, event_id, kind
        rows unbounded preceding) as total
    from lived
),
-- Never below nothing: whatever a sum fell below it so far is given back (a walk reflected at zero).
standing as (
    select account_id, subscription_id, occurred_at, event_id, kind,
        total - least(0::decimal(38,2), min(total) over (
            partition by account_id, subscription_id, life order by occurred_at, event_id, kind
            rows unbounded preceding)) as arr
    from summed
),
-- The last word of an instant stands, so that a look-up finds one row.
revenue as (
    select account_id, subscription_id, occurred_at, arr
    from standing
    qualify row_number() over (
        partition by account_id, subscription_id, occurred_at order by event_id desc, kind desc) = 1
),
quarter as (
    select starts_on::date as starts_on, (starts_on + interval 3 month)::date as until_on,
        day_begins(starts_on::date, zone) as starts_at,
        day_begins((starts_on + interval 3 month)::date, zone) as until_at
    from (
        select zone, unnest(generate_series(
            date_trunc('quarter', (min(occurred_at) at time zone zone)::date)::timestamp,
            ($as_of at time zone zone)::timestamp,
            interval 3 month)) as starts_on
        from told
        cross join playbook.version
        group by zone
    )
),
subscription as (
    select account_id, subscription_id, min(occurred_at) filter (where arr > 0) as first_at
    from revenue
    group by account_id, subscription_id
),
seen as (
    select subscription.*, starts_on, starts_at, until_at
    from subscription
    cross join quarter
),
opened as (
    select seen.*, coalesce(revenue.arr, 0) as opening
    from seen
    asof left join revenue
        on revenue.account_id = seen.account_id and revenue.subscription_id = seen.subscription_id
        and seen.starts_at > revenue.occurred_at
),
closed as (
    select opened.*, coalesce(revenue.arr, 0) as closing
    from opened
    asof left join revenue
        on revenue.account_id = opened.account_id and revenue.subscription_id = opened.subscription_id
        and opened.until_at > revenue.occurred_at
),
account as (
    select account_id, starts_on, sum(opening) as opening, sum(closing) as closing,
        coalesce(min(first_at) < any_value(starts_at), false) as was_customer
    from closed
    group by account_id, starts_on
),
cohort as (
    select
        starts_on,
        count(*) filter (where opening > 0) as customers,
        count(*) filter (where opening > 0 and closing = 0) as churned_customers,
        sum(opening) as opening_arr,
        sum(closing - opening) filter (where opening > 0 and closing > opening) as expansion,
        sum(opening - closing) filter (where closing > 0 and closing < opening) as contraction,
        sum(opening) filter (where closing = 0) as churn,
        sum(closing) filter (where opening > 0) as closing_arr,
        sum(closing) filter (where opening = 0 and not was_customer) as new_arr,
        sum(closing) filter (where opening = 0 and was_customer) as reactivated_arr
    from account
    group by starts_on
),
unpriced as (
    select starts_on, count(distinct account_id) as accounts
    from quarter
    join priced on priced.amount is null and priced.occurred_at < quarter.until_at
    group by starts_on
)
select
    quarter_of(quarter.starts_on) as period,
    quarter.starts_on,
    (quarter.until_on - 1)::date as ends_on,
    $as_of >= quarter.until_at as is_over,
    coalesce(customers, 0) as customers,
    coalesce(opening_arr, 0)::decimal(38,2) as opening_arr,
    coalesce(expansion, 0)::decimal(38,2) as expansion,
    coalesce(contraction, 0)::decimal(38,2) as contraction,
    coalesce(churn, 0)::decimal(38,2) as churn,
    coalesce(closing_arr, 0)::decimal(38,2) as closing_arr,
    closing_arr::double / nullif(opening_arr, 0)::double as nrr,
    (opening_arr - coalesce(contraction, 0) - coalesce(churn, 0))::double / nullif(opening_arr, 0)::double
        as grr,
    coalesce(churned_customers, 0) as churned_customers,
    coalesce(new_arr, 0)::decimal(38,2) as new_arr,
    coalesce(reactivated_arr, 0)::decimal(38,2) as reactivated_arr,
    coalesce(unpriced.accounts, 0) as unpriced,
    coalesce(customers, 0) as n,
    n >= version.minimum_n as is_enough,
    version.currency as currency,
    version.playbook_version as playbook_version
from quarter
cross join playbook.version as version
left join cohort using (starts_on)
left join unpriced using (starts_on)
order by quarter.starts_on
