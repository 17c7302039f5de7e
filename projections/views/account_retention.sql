-- view:   account_retention
-- grain:  one row per company and year or quarter, from the company's first customer event to as-of
-- key:    account_id, period
-- reads:  funnel.subscription_event, funnel.subscription_revenue, playbook.version
-- says:   the yearly revenue of each company at the start and at the end of each year and quarter
-- means:  Yearly revenue is the sum over the company's subscriptions, so what moves from one to another cancels out.
--         The start is the period's first instant in the playbook's zone, before anything that happens at it; the
--         end is the first instant after the period. A period that is still on ends with what is known at as-of.
-- columns:
--   account_id    the company
--   period        a year or a quarter: 2026, 2026-Q1
--   opening_arr   yearly revenue when the period begins (decimal)
--   closing_arr   yearly revenue when the period ends (decimal)
--   was_customer  true when it had yearly revenue at any time before the period
--   is_unpriced   true when an amount of the company up to the period's end is missing or has no rate
with
event as materialized (
    select account_id, occurred_at, amount from funnel.subscription_event
),
revenue as (
    select account_id, from_at, until_at, amount from funnel.subscription_revenue
),
span as (
    select zone,
        (min(occurred_at) at time zone zone)::date as first_on,
        ($as_of at time zone zone)::date as last_on
    from event
    cross join playbook.version
    group by zone
),
named_period as (
    select zone,
        unnest(list_concat(
            list_transform(range(year(first_on), year(last_on) + 1), lambda y: y::varchar),
            list_transform(
                generate_series(date_trunc('quarter', first_on), last_on::timestamp, interval 3 month),
                lambda day: quarter_of(day)))) as period
    from span
),
period as materialized (
    select period, day_begins(period_from(period), zone) as begins_at,
        day_begins(period_until(period), zone) as ends_at
    from named_period
),
customer as (
    select account_id, period, bool_or(amount is null) as is_unpriced
    from period
    join event on occurred_at < ends_at
    group by all
),
arr as (
    select account_id, period,
        sum(amount) filter (where from_at < begins_at and (until_at is null or until_at >= begins_at)) as opening,
        sum(amount) filter (where until_at is null or until_at >= ends_at) as closing,
        bool_or(amount > 0 and from_at < begins_at) as was_customer
    from period
    join revenue on from_at < ends_at
    group by all
)
select
    account_id,
    period,
    coalesce(opening, 0)::decimal(38,2) as opening_arr,
    coalesce(closing, 0)::decimal(38,2) as closing_arr,
    coalesce(was_customer, false) as was_customer,
    is_unpriced
from customer
left join arr using (account_id, period)
