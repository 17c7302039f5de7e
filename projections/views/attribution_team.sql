-- view:   attribution_team
-- grain:  one row per model, quarter of the win and team with a session before a win of that quarter
-- key:    model, period, team
-- reads:  funnel.attribution, funnel.win, playbook.version
-- says:   how much of a quarter's booked revenue is credited to each team's sessions, by each model; the teams and
--         what is unattributed add up to everything booked
-- means:  The credited amounts of attribution, summed by the team of each session. A win without any touch is
--         the row 'unattributed'. A win of several teams is a conversion of each of them; their credit adds up
--         to the conversions of the quarter. A win without a known amount or a rate counts as a conversion and is in no
--         amount. A credit, a win with a negative amount, is in the amounts and is no conversion.
-- columns:
--   model             first, last, linear, position or w
--   period            the quarter of the win, in the playbook's zone
--   team              the team, or 'unattributed'
--   conversions       wins in which it has credit
--   credit            its credit for the quarter's wins, counted in wins (decimal)
--   amount            the amount credited to it (decimal)
--   booked            everything booked in the quarter (decimal)
--   share             amount / booked; null when nothing is booked
--   unpriced          of its conversions, those whose amount is unknown or has no rate: they are in no sum
--   currency          the goal's currency, ISO 4217
--   n                 wins of the quarter
--   is_enough         true when n reaches the playbook's minimum
--   playbook_version  the playbook whose session length, rates and minimum these are
with
win as materialized (
    select opportunity_id, period, booked, is_credit from funnel.win
),
quarter as (
    select period, count(*) filter (where not is_credit) as n, coalesce(sum(booked), 0) as booked
    from win
    group by period
),
credited as (
    select
        credited.model, win.period, coalesce(credited.team, 'unattributed') as team,
        count(distinct credited.opportunity_id) filter (where credited.credit > 0 and not win.is_credit)
            as conversions,
        coalesce(sum(credited.credit) filter (where not win.is_credit), 0) as credit,
        coalesce(sum(credited.amount), 0) as amount,
        count(distinct credited.opportunity_id) filter (where credited.credit > 0 and credited.booked is null)
            as unpriced
    from funnel.attribution as credited
    join win using (opportunity_id)
    group by all
)
select
    model,
    period,
    team,
    conversions,
    credit::decimal(38,6) as credit,
    amount::decimal(38,2) as amount,
    booked::decimal(38,2) as booked,
    amount::double / nullif(booked, 0)::double as share,
    unpriced,
    currency,
    n,
    n >= minimum_n as is_enough,
    playbook_version
from credited
join quarter using (period)
cross join playbook.version
order by period, model, team
