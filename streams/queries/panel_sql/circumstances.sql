-- The goal of a day is that of its quarter, else of its month, else of its year; without one, its quarter is meant.
with
asked as (
    select as_of, zone, currency, playbook_version, $unit as unit, ($day)::date as day,
        (as_of at time zone zone)::date as today,
        window_of($day, $unit, week_begins, fiscal_year_begins) as start
    from warehouse.as_of
    cross join playbook.version
),
goal as (
    select period, starts_on, ends_on,
        case when contains(period, 'Q') then 1 when contains(period, '-') then 2 else 3 end as rank
    from funnel.goal
    where metric = 'revenue' and scope = 'company'
)
select as_of, zone, currency, playbook_version, unit,
    coalesce((
        select period from goal where starts_on <= day and ends_on >= day order by rank, period limit 1
    ), quarter_of(day)) as period,
    coalesce((
        select period from goal where starts_on <= today and ends_on >= today order by rank, period limit 1
    ), quarter_of(today)) as current_period,
    start,
    coalesce(start, date '0001-01-01') as from_on,
    coalesce(start + case unit
        when 'day' then interval 1 day
        when 'week' then interval 1 week
        when 'month' then interval 1 month
        when 'quarter' then interval 3 month
        when 'fiscal_quarter' then interval 3 month
        when 'year' then interval 1 year
    end, date '9999-01-01')::date as until_on
from asked
