-- view:   account_retention
-- grain:  one row per company and year, quarter or period of a goal, from the company's first customer event to as-of
-- key:    account_id, period
-- reads:  funnel.subscription_event, funnel.subscription_revenue, resolved.goal_set, playbook.goal, playbook.version
-- says:   the yearly revenue of each company at the start and at the end of each year and quarter, and of each other
--         period that has a goal for retained revenue
-- means:  Yearly revenue is the sum over the company's subscriptions, so what moves from one to another cancels out.
--         The start is the period's first instant in the playbook's zone, before anything that happens at it; the
--         end is the first instant after the period. A period that is still on ends with what is known at as-of.
--         Rises and falls are those of the company's yearly revenue within the period, instant by instant.
-- columns:
--   account_id         the company
--   period             a year, a quarter, or another period that has a goal: 2026, 2026-Q1, 2026-03, FY2026-Q1
--   exact_opening_arr  opening_arr before it is rounded to cents, for sums (decimal)
--   exact_closing_arr  closing_arr before it is rounded to cents, for sums (decimal)
--   opening_arr        yearly revenue when the period begins (decimal)
--   closing_arr        yearly revenue when the period ends (decimal)
--   exact_rise         what the yearly revenue rose by within the period, each time it did (decimal)
--   exact_fall         what it fell by within the period, each time it did (decimal)
--   was_customer       true when it had yearly revenue at any time before the period
--   is_unpriced        true when an amount of the company up to the period's end is missing or has no rate
with
event as materialized (
    select account_id, occurred_at, amount from funnel.subscription_event
),
revenue as materialized (
    select account_id, from_at, until_at, exact_amount,
        exact_amount - lag(exact_amount, 1, 0::decimal(38,12)) over (
            partition by account_id, subscription_id order by from_at) as change
    from funnel.subscription_revenue
),
account_change as (
    select account_id, from_at, sum(change) as change from revenue group by all
),
span as (
    select zone, fiscal_year_begins,
        (min(occurred_at) at time zone zone)::date as first_on,
        ($as_of at time zone zone)::date as last_on
    from event
    cross join playbook.version
    group by zone, fiscal_year_begins
),
period as materialized (
    select period, day_begins(period_from(period, fiscal_year_begins), zone) as begins_at,
        day_begins(period_until(period, fiscal_year_begins), zone) as ends_at
    from (
        select year::varchar as period from span, range(year(first_on), year(last_on) + 1) as years(year)
        union
        select quarter_of(day)
        from span, generate_series(date_trunc('quarter', first_on), last_on::timestamp, interval 3 month) as days(day)
        union
        select period from resolved.goal_set where metric = 'retained_revenue'
        union
        select period from playbook.goal where metric = 'retained_revenue'
    )
    cross join span
    where period_until(period, fiscal_year_begins) > first_on
        and period_from(period, fiscal_year_begins) <= last_on
),
customer as (
    select account_id, period, bool_or(amount is null) as is_unpriced
    from period
    join event on occurred_at < ends_at
    group by all
),
arr as (
    select account_id, period,
        sum(exact_amount) filter (
            where from_at < begins_at and (until_at is null or until_at >= begins_at)) as opening,
        sum(exact_amount) filter (where until_at is null or until_at >= ends_at) as closing,
        bool_or(exact_amount > 0 and from_at < begins_at) as was_customer
    from period
    join revenue on from_at < ends_at
    group by all
),
movement as (
    select account_id, period,
        sum(change) filter (where change > 0) as rise, -sum(change) filter (where change < 0) as fall
    from period
    join account_change on from_at >= begins_at and from_at < ends_at
    group by all
)
select
    account_id,
    period,
    coalesce(opening, 0)::decimal(38,12) as exact_opening_arr,
    coalesce(closing, 0)::decimal(38,12) as exact_closing_arr,
    cents(exact_opening_arr) as opening_arr,
    cents(exact_closing_arr) as closing_arr,
    coalesce(rise, 0)::decimal(38,12) as exact_rise,
    coalesce(fall, 0)::decimal(38,12) as exact_fall,
    coalesce(was_customer, false) as was_customer,
    is_unpriced
from customer
left join arr using (account_id, period)
left join movement using (account_id, period)
