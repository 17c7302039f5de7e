-- view:   deal_stage
-- grain:  one row per stage of deals: those of the playbook, and any other that a deal was in
-- key:    stage
-- reads:  funnel.deal_stay, funnel.deal, funnel.opportunity_amount, playbook.deal_stage, playbook.version
-- says:   how many open deals are in each stage and what they are worth, how long deals stay in it, and how they leave
-- means:  The deals of all rows add up to the open deals; one that was never in a stage is in the row unknown.
--         Stays are those of deal_stay: a deal that falls back and comes again stays twice. Entered = forward + back +
--         elsewhere + won + lost + the stays that go on. Days are of ended stays, and the age is of those that go on.
-- columns:
--   stage             the stage; unknown for deals that were never in one
--   position          its place in the playbook's order of deal stages; null when it is not listed
--   deals             open deals in it
--   amount            what they are worth, in the goals' currency (decimal)
--   unpriced          of them, those without an amount or with one that has no rate: not in the sum
--   entered           stays that began
--   forward           of those, ended by a later stage
--   back              ended by an earlier stage
--   elsewhere         ended by a stage of which the playbook does not say whether it is later
--   won               ended by the win
--   lost              ended by the loss
--   median_days       median days of the ended stays
--   p90_days          days within which nine in ten of the ended stays end
--   median_age_days   median days so far of the stays that go on
--   currency          the goals' currency, ISO 4217
--   n                 ended stays
--   is_enough         true when n reaches the playbook's minimum
--   playbook_version  the playbook whose stages, rates and minimum these are
with
open_deal as (
    select coalesce(deal.stage, 'unknown') as stage, count(*) as deals, cents(sum(exact_amount)) as amount,
        count(*) - count(exact_amount) as unpriced
    from funnel.deal as deal
    join funnel.opportunity_amount as amount using (opportunity_id)
    where deal.status = 'open' and deal.opened_at is not null
    group by all
),
stay as (
    select stage,
        count(*) as entered,
        count(*) filter (where left_for = 'forward') as forward,
        count(*) filter (where left_for = 'back') as back,
        count(*) filter (where left_for = 'elsewhere') as elsewhere,
        count(*) filter (where left_for = 'won') as won,
        count(*) filter (where left_for = 'lost') as lost,
        quantile_cont(days, 0.5) as median_days,
        quantile_cont(days, 0.9) as p90_days,
        quantile_cont(age_days, 0.5) as median_age_days,
        count(days) as n
    from funnel.deal_stay
    group by stage
)
select
    stage,
    listed.position as position,
    coalesce(deals, 0) as deals,
    coalesce(amount, 0)::decimal(38,2) as amount,
    coalesce(unpriced, 0) as unpriced,
    coalesce(entered, 0) as entered,
    coalesce(forward, 0) as forward,
    coalesce(back, 0) as back,
    coalesce(elsewhere, 0) as elsewhere,
    coalesce(won, 0) as won,
    coalesce(lost, 0) as lost,
    median_days,
    p90_days,
    median_age_days,
    currency,
    coalesce(n, 0) as n,
    coalesce(n, 0) >= minimum_n as is_enough,
    playbook_version
from (select position, deal_stage as stage from playbook.deal_stage) as listed
full join stay using (stage)
full join open_deal using (stage)
cross join playbook.version
order by position, stage
