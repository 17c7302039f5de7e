"""Periods and windows in SQL, as days.

A period is a year, a quarter or a month of the calendar ('2026', '2026-Q1', '2026-03'), or a fiscal year or
quarter ('FY2026', 'FY2026-Q1'). A fiscal year begins in the month that the playbook names, and is called
after the calendar year it begins in. Anything else has no days (null).
"""

# Units of the windows that counts are sliced by, see window_of.
WINDOW_UNITS = ("day", "week", "month", "quarter", "fiscal_quarter", "year", "all")
SQL_FUNCTIONS = (
    # First day of a period. fiscal_year_begins: the month; needed for fiscal periods only.
    """
    create or replace macro period_from(period, fiscal_year_begins := 1) as (case
        when regexp_full_match(period, '[12][0-9]{3}') then make_date(period::integer, 1, 1)
        when regexp_full_match(period, '[12][0-9]{3}-Q[1-4]')
            then make_date(left(period, 4)::integer, right(period, 1)::integer * 3 - 2, 1)
        when regexp_full_match(period, '[12][0-9]{3}-(0[1-9]|1[0-2])')
            then make_date(left(period, 4)::integer, right(period, 2)::integer, 1)
        when regexp_full_match(period, 'FY[12][0-9]{3}')
            then make_date(period[3:6]::integer, fiscal_year_begins, 1)
        when regexp_full_match(period, 'FY[12][0-9]{3}-Q[1-4]')
            then make_date(period[3:6]::integer, fiscal_year_begins, 1)
                + to_months(right(period, 1)::integer * 3 - 3)
    end)::date
    """,
    # First day after a period.
    """
    create or replace macro period_until(period, fiscal_year_begins := 1) as
        (period_from(period, fiscal_year_begins) + case
            when contains(period, 'Q') then interval 3 month
            when contains(period, '-') then interval 1 month
            else interval 1 year end)::date
    """,
    # The quarter a day lies in, as a period.
    "create or replace macro quarter_of(day) as strftime(day, '%Y') || '-Q' || quarter(day)",
    # The first day of the window that a local time lies in; null for all, which begins with the first event.
    # week_begins: 1 for Monday to 7 for Sunday. fiscal_year_begins: the month; needed for fiscal quarters.
    """
    create or replace macro window_of(local_at, window_unit, week_begins, fiscal_year_begins := 1) as (
    case window_unit
        when 'day' then local_at
        when 'week' then date_trunc('week', local_at - to_days(week_begins - 1)) + to_days(week_begins - 1)
        when 'month' then date_trunc('month', local_at)
        when 'quarter' then date_trunc('quarter', local_at)
        when 'year' then date_trunc('year', local_at)
        when 'fiscal_quarter' then date_trunc('quarter', local_at - to_months(fiscal_year_begins - 1))
            + to_months(fiscal_year_begins - 1)
    end)::date
    """,
    # The instant a local day begins in a zone. Where clocks fall back over midnight, midnight comes twice,
    # and the day begins with the first, as in open_time: 24 hours after the midnight before. timezone()
    # alone takes the second. Where midnight is skipped, the day begins at its first moment.
    """
    create or replace macro day_begins(day, zone) as least(
        timezone(zone, day::timestamp),
        case when timezone(zone, timezone(zone, day::timestamp - interval 1 day) + interval 24 hour)
                = day::timestamp
            then timezone(zone, day::timestamp - interval 1 day) + interval 24 hour end)
    """,
    # The first and the last instant at which an event may have happened: those of its day, when its source
    # knows the day and no time.
    """
    create or replace macro earliest_instant(occurred_at, is_day_only, zone) as case when is_day_only
        then day_begins(timezone('UTC', occurred_at)::date, zone) else occurred_at end
    """,
    """
    create or replace macro latest_instant(occurred_at, is_day_only, zone) as case when is_day_only
        then day_begins(timezone('UTC', occurred_at)::date + 1, zone) - interval 1 microsecond
        else occurred_at end
    """,
)
