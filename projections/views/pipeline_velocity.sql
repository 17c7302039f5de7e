-- view:   pipeline_velocity
-- grain:  one row per segment with a deal that is open, or was opened in the cohort
-- key:    segment
-- reads:  funnel.deal, funnel.opportunity_amount, funnel.lead, playbook.version
-- says:   how much revenue the open deals of a segment bring a day, as deals of late were won
-- means:  Velocity per day = open deals x median deal x cohort win rate / median cycle days, the usual form, with
--         medians for means. An opened deal is a qualified opportunity: Sales opened it. The cohort is the deals
--         opened in the playbook's cohort time before as-of; its win rate is won / (won + lost), its median deal what
--         the won ones booked, its cycle their days from the opening to the win. Segments are not mixed: a segment
--         is the sales region of the deal's lead, unknown without one; there is no row for all of them. Credits are
--         no deals.
-- columns:
--   segment            the sales region, or unknown
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
    select coalesce(lead.segment, 'unknown') as segment, deal.status, deal.opened_at, deal.closed_at, booked,
        deal.opened_at >= $as_of - to_microseconds(cohort_us) as is_cohort
    from funnel.deal as deal
    join funnel.opportunity_amount as amount using (opportunity_id)
    left join funnel.lead as lead on lead.lead_id = deal.lead_id
    cross join playbook.version
    where deal.status <> 'credit' and deal.opened_at is not null
),
of_segment as (
    select segment,
        count(*) filter (where status = 'open') as open_deals,
        count(*) filter (where is_cohort and status = 'won') as won,
        count(*) filter (where is_cohort and status in ('won', 'lost')) as n,
        list_sort(list(booked) filter (where is_cohort and status = 'won' and booked is not null)) as amounts,
        quantile_cont(epoch_us(closed_at) - epoch_us(opened_at), 0.5) filter (where is_cohort and status = 'won')
            / 86400000000 as median_cycle_days,
        count(*) filter (where is_cohort and status = 'won' and booked is null) as unpriced
    from deal
    where status = 'open' or is_cohort
    group by segment
)
select
    segment,
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
from of_segment
cross join playbook.version
order by segment
