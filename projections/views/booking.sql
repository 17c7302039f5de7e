-- view:   booking
-- grain:  one row per day, week, month, quarter or year in which a deal was won or a credit given
-- key:    unit, starts_on
-- reads:  funnel.win, playbook.version
-- says:   what was booked in each period
-- means:  Each win counts once, in the period it was won in, with the amount last given for it; each credit takes its
--         amount away in its own period. The rows of one unit add up to everything booked. Days are cut in the
--         playbook's zone, and weeks begin on the day it names.
-- columns:
--   unit              day, week, month, quarter or year
--   starts_on         first day of the period
--   ends_on           its last day
--   booked            booked in it, credits taken away, in the goals' currency (decimal)
--   won               deals won in it
--   won_amount        booked with them (decimal)
--   credits           credits given in it
--   credit_amount     their amounts, below zero (decimal)
--   median_amount     median amount of the deals won, of those that have one (decimal)
--   unpriced          wins and credits whose amount is unknown or has no rate: in no sum
--   currency          the goals' currency, ISO 4217
--   n                 deals won in it
--   is_enough         true when n reaches the playbook's minimum
--   playbook_version  the playbook whose zone, rates and minimum these are
with
booking as (
    select unit, window_of(won_at at time zone zone, unit, week_begins) as starts_on, is_credit, booked, exact_booked
    from funnel.win
    cross join playbook.version
    cross join (values ('day'), ('week'), ('month'), ('quarter'), ('year')) as units(unit)
),
total as (
    select unit, starts_on,
        coalesce(cents(sum(exact_booked)), 0) as booked,
        count(*) filter (where not is_credit) as won,
        coalesce(cents(sum(exact_booked) filter (where not is_credit)), 0) as won_amount,
        count(*) filter (where is_credit) as credits,
        coalesce(cents(sum(exact_booked) filter (where is_credit)), 0) as credit_amount,
        list_sort(list(booked) filter (where not is_credit and booked is not null)) as amounts,
        count(*) - count(booked) as unpriced
    from booking
    group by unit, starts_on
)
select
    unit,
    starts_on,
    unit_to(unit, starts_on) as ends_on,
    booked,
    won,
    won_amount,
    credits,
    credit_amount,
    middle_amount(amounts) as median_amount,
    unpriced,
    currency,
    won as n,
    won >= minimum_n as is_enough,
    playbook_version
from total
cross join playbook.version
order by unit, starts_on
