-- The goal of the window is that of the quarter, else of the month, else of the year; without one, the quarter.
select as_of, zone, currency, playbook_version, unit,
    coalesce((
        select period from funnel.goal
        where metric = 'revenue' and scope = 'company' and starts_on <= day and ends_on >= day
        order by case when contains(period, 'Q') then 0 when contains(period, '-') then 1 else 2 end, period
        limit 1
    ), quarter_of(day)) as period,
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
from (
    select as_of, zone, currency, playbook_version, $unit as unit, ($day)::date as day,
        window_of($day, $unit, week_begins, fiscal_year_begins) as start
    from warehouse.as_of
    cross join playbook.version
)
