-- view:   pipeline_velocity_slice
-- grain:  one row per slice with a deal that is open, or was opened in the cohort
-- key:    dimension, value
-- reads:  funnel.deal, funnel.opportunity_amount, funnel.lead_slice, playbook.dimension, playbook.version
-- says:   how much revenue the open deals of a slice bring a day, as deals of late were won
-- means:  Computed as in pipeline_velocity, which has the slices of the dimension region. It is as of now, for the
--         playbook's cohort, and has no windows. The counts of a dimension add up to all; the velocities do not, since
--         the slice all mixes what the others keep apart.
-- columns:
--   dimension          what it is sliced by: a column of lead_dimension, or all
--   value              the value of that dimension; all for all
--   open_deals         deals that are open
--   median_amount      median booked amount of the cohort's won deals, in the goals' currency (decimal)
--   win_rate           of the cohort, won / (won + lost)
--   median_cycle_days  median days from the opening to the win of the cohort's won deals
--   velocity_per_day   revenue a day, in the goals' currency; null when one of these is unknown
--   unpriced           won deals of the cohort without an amount or with one that has no rate: not in the median
--   currency           the goals' currency, ISO 4217
--   n                  decided deals of the cohort
--   is_enough          true when n reaches the playbook's minimum
--   playbook_version   the playbook whose cohort time, rates and minimum these are
with
deal as (
    select dimension, dimension_value(dimension, value) as value, deal.status, deal.opened_at, deal.closed_at, booked,
        deal.opened_at >= $as_of - to_microseconds(cohort_us) as is_cohort
    from funnel.deal as deal
    join (select opportunity_id, booked from funnel.opportunity_amount) using (opportunity_id)
    cross join playbook.dimension
    left join funnel.lead_slice using (lead_id, dimension)
    cross join playbook.version
    where deal.status <> 'credit' and deal.opened_at is not null
),
slice as (
    select dimension, value,
        count(*) filter (where status = 'open') as open_deals,
        count(*) filter (where is_cohort and status = 'won') as won,
        count(*) filter (where is_cohort and status in ('won', 'lost')) as n,
        list_sort(list(booked) filter (where is_cohort and status = 'won' and booked is not null)) as amounts,
        quantile_cont(epoch_us(closed_at) - epoch_us(opened_at), 0.5) filter (where is_cohort and status = 'won')
            / 86400000000 as median_cycle_days,
        count(*) filter (where is_cohort and status = 'won' and booked is null) as unpriced
    from deal
    where status = 'open' or is_cohort
    group by dimension, value
)
select
    dimension,
    value,
    open_deals,
    middle_amount(amounts) as median_amount,
    won / nullif(n, 0) as win_rate,
    median_cycle_days,
    open_deals * median_amount::double * win_rate / nullif(median_cycle_days, 0) as velocity_per_day,
    unpriced,
    currency,
    n,
    n >= minimum_n as is_enough,
    playbook_version
from slice
cross join playbook.version
