"""Goal periods in SQL: '2026' and '2026-Q1' as days. Anything else has no days (null)."""

SQL_FUNCTIONS = (
    # First day of a period.
    """
    create or replace macro period_from(period) as case
        when regexp_full_match(period, '[12][0-9]{3}') then make_date(period::integer, 1, 1)
        when regexp_full_match(period, '[12][0-9]{3}-Q[1-4]')
            then make_date(left(period, 4)::integer, right(period, 1)::integer * 3 - 2, 1)
    end
    """,
    # First day after a period.
    """
    create or replace macro period_until(period) as
        (period_from(period)
            + case when length(period) = 4 then interval 1 year else interval 3 month end)::date
    """,
    # The quarter a day lies in, as a period.
    "create or replace macro quarter_of(day) as strftime(day, '%Y') || '-Q' || quarter(day)",
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
)
