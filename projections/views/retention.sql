-- view:   retention
-- grain:  one row per quarter, from the first customer event to as-of
-- key:    period
-- reads:  funnel.account_retention, playbook.version
-- says:   of the yearly revenue of the customers at the start of a quarter, how much is left at its end
-- means:  The cohort is every company with recurring revenue (ARR) at the quarter's start, and no other: companies
--         that are new or came back in the quarter are shown apart and count in neither rate. NRR = (opening +
--         expansion - contraction - churn) / opening; GRR is the same without expansion, so it is never above 1.
--         As is usual, a company's revenue at the start is compared with that at the end: more is expansion, less
--         is contraction, nothing is churn; what goes up and down in between, or moves from one subscription to
--         another, cancels out; all_expansion and all_contraction show the movements themselves. See
--         subscription_revenue for the ARR of a subscription. The current quarter is shown up to as-of.
-- columns:
--   period             the quarter, in the playbook's zone
--   starts_on          its first day
--   ends_on            its last day
--   is_over            true once it has ended
--   customers          companies in the cohort
--   opening_arr        their ARR at the start (decimal)
--   expansion          what companies with more at the end have added (decimal)
--   contraction        what companies with less at the end, but still some, have lost (decimal)
--   churn              what companies with none at the end had at the start (decimal)
--   closing_arr        the cohort's ARR at the end (decimal)
--   nrr                closing_arr / opening_arr; null without a cohort
--   grr                (opening_arr - contraction - churn) / opening_arr; null without a cohort
--   churned_customers  companies of the cohort with no ARR at the end
--   all_expansion      every rise of a company of the cohort within the quarter, also where it fell again (decimal)
--   all_contraction    every fall of a company of the cohort within the quarter, to nothing too (decimal);
--                      opening_arr + all_expansion - all_contraction = closing_arr
--   new_arr            ARR at the end of companies that never had any before (decimal); in no rate
--   reactivated_arr    ARR at the end of companies that had some before, and none at the start (decimal); in no rate
--   unpriced           companies with an amount that is missing or has no rate: the sums leave it out
--   n                  companies in the cohort: the cases the rates rest on
--   is_enough          true when n reaches the playbook's minimum
--   currency           currency of the amounts: the goal's
--   playbook_version   the playbook of the rates, the zone and the minimum
with
quarter as (
    select
        period,
        count(*) filter (where exact_opening_arr > 0) as customers,
        count(*) filter (where exact_opening_arr > 0 and exact_closing_arr = 0) as churned_customers,
        count(*) filter (where is_unpriced) as unpriced,
        coalesce(sum(exact_opening_arr), 0) as opening,
        coalesce(sum(exact_opening_arr - exact_closing_arr)
            filter (where exact_closing_arr > 0 and exact_closing_arr < exact_opening_arr), 0) as contraction,
        coalesce(sum(least(exact_opening_arr, exact_closing_arr)), 0) as kept,
        coalesce(sum(exact_closing_arr) filter (where exact_opening_arr > 0), 0) as closing,
        coalesce(sum(exact_fall) filter (where exact_opening_arr > 0), 0) as fall,
        coalesce(sum(exact_closing_arr) filter (where exact_opening_arr > 0 or not was_customer), 0)
            as closing_and_new,
        coalesce(sum(exact_closing_arr), 0) as total
    from funnel.account_retention
    where regexp_full_match(period, '[12][0-9]{3}-Q[1-4]')
    group by period
),
-- Running totals are rounded, and each part is the difference of two of them: so the parts add up to the cent.
part as (
    select
        * exclude (contraction),
        period_from(period) as starts_on,
        (period_until(period) - interval 1 day)::date as ends_on,
        cents(opening) as opening_arr,
        cents(opening) - cents(opening - contraction) as contraction,
        cents(opening - contraction) - cents(kept) as churn,
        cents(closing) - cents(kept) as expansion,
        cents(closing) as closing_arr,
        cents(closing) - cents(opening - fall) as all_expansion,
        cents(opening) - cents(opening - fall) as all_contraction,
        cents(closing_and_new) - cents(closing) as new_arr,
        cents(total) - cents(closing_and_new) as reactivated_arr
    from quarter
)
select
    period,
    starts_on,
    ends_on,
    $as_of >= day_begins(ends_on + 1, zone) as is_over,
    customers,
    opening_arr,
    expansion,
    contraction,
    churn,
    closing_arr,
    closing_arr::double / nullif(opening_arr, 0)::double as nrr,
    (opening_arr - contraction - churn)::double / nullif(opening_arr, 0)::double as grr,
    churned_customers,
    all_expansion,
    all_contraction,
    new_arr,
    reactivated_arr,
    unpriced,
    customers as n,
    customers >= minimum_n as is_enough,
    currency,
    playbook_version
from part
cross join playbook.version
order by starts_on
