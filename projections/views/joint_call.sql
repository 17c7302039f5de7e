-- view:   joint_call
-- grain:  one row for calls with Marketing on them and one for calls without
-- key:    is_marketing_present
-- reads:  facts.call_held, facts.opportunity_stage_entered, facts.opportunity_opened,
--         facts.opportunity_revised, facts.opportunity_won, facts.opportunity_lost, playbook.rate,
--         playbook.version
-- says:   what came of deals where Marketing was on a call, beside those where it was not
-- means:  A deal with any joint call counts as joint, and only there. Advanced: the deal entered a stage
--         within 14 days after the call; younger calls may still. Win rate = won / (won + lost), with what is
--         still open shown apart. Joint calls are not dealt out by lot: a difference is a question to ask,
--         not a cause.
-- columns:
--   is_marketing_present     true for calls that Marketing was on
--   calls                    calls held
--   calls_on_deals           of those, calls about a deal
--   advanced_within_14_days  of those, followed by a stage entered within 14 days
--   deals                    deals with such a call
--   won                      of those, won
--   lost                     of those, lost
--   still_open               of those, neither
--   win_rate                 won / (won + lost); null while nothing is decided
--   median_amount            median of the amounts the deals were last given (decimal)
--   unpriced                 deals without an amount, or with one that has no rate: not in the median
--   n                        deals decided: the cases the win rate rests on
--   is_enough                true when n reaches the playbook's minimum
--   currency                 currency of the amount: the goal's
--   playbook_version         the playbook of the rates and the minimum
with
known(is_marketing_present) as (values (true), (false)),
held as (
    select call_id, opportunity_id, occurred_at, is_marketing_present
    from facts.call_held
    where occurred_at <= $as_of
    qualify row_number() over (partition by call_id order by occurred_at, event_id) = 1
),
stage as (
    select distinct opportunity_id, occurred_at as entered_at
    from facts.opportunity_stage_entered
    where occurred_at <= $as_of
),
followed as (
    select held.*, coalesce(stage.entered_at <= held.occurred_at + to_hours(336), false) as is_advanced
    from held
    asof left join stage
        on stage.opportunity_id = held.opportunity_id and held.occurred_at < stage.entered_at
),
called as (
    select is_marketing_present, count(*) as calls, count(opportunity_id) as calls_on_deals,
        count(*) filter (where is_advanced) as advanced
    from followed
    group by is_marketing_present
),
worth as (
    select opportunity_id,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'amount': amount, 'currency': currency}) as latest
    from (
        select opportunity_id, occurred_at, event_id, amount, currency from facts.opportunity_opened
        union all
        select opportunity_id, occurred_at, event_id, amount, currency from facts.opportunity_revised
        union all
        select opportunity_id, occurred_at, event_id, amount, currency from facts.opportunity_won
    )
    where occurred_at <= $as_of and amount is not null
    group by opportunity_id
),
outcome as (
    select opportunity_id,
        max({'occurred_at': occurred_at, 'event_id': event_id, 'status': status}).status as status
    from (
        select opportunity_id, occurred_at, event_id, 'won' as status from facts.opportunity_won
        union all
        select opportunity_id, occurred_at, event_id, 'lost' as status from facts.opportunity_lost
    )
    where occurred_at <= $as_of
    group by opportunity_id
),
dealt as (
    select deal.is_marketing_present, outcome.status, converted(worth.latest.amount, rate.rate) as amount
    from (
        select opportunity_id, bool_or(is_marketing_present) as is_marketing_present
        from held
        where opportunity_id is not null
        group by opportunity_id
    ) as deal
    left join worth using (opportunity_id)
    left join playbook.rate as rate on rate.currency = worth.latest.currency
    left join outcome using (opportunity_id)
),
decided as (
    select
        is_marketing_present,
        count(*) as deals,
        count(*) filter (where status = 'won') as won,
        count(*) filter (where status = 'lost') as lost,
        count(*) filter (where amount is null) as unpriced,
        list_sort(list(amount) filter (where amount is not null)) as amounts
    from dealt
    group by is_marketing_present
)
select
    known.is_marketing_present,
    coalesce(calls, 0) as calls,
    coalesce(calls_on_deals, 0) as calls_on_deals,
    coalesce(advanced, 0) as advanced_within_14_days,
    coalesce(deals, 0) as deals,
    coalesce(won, 0) as won,
    coalesce(lost, 0) as lost,
    coalesce(deals - won - lost, 0) as still_open,
    won / nullif(won + lost, 0) as win_rate,
    -- The middle one, or half the sum of the two in the middle, to the cent.
    round((amounts[(len(amounts) + 1) // 2] + amounts[len(amounts) // 2 + 1]) * 0.5::decimal(2,1), 2)
        ::decimal(38,2) as median_amount,
    coalesce(unpriced, 0) as unpriced,
    coalesce(won + lost, 0) as n,
    n >= version.minimum_n as is_enough,
    version.currency as currency,
    version.playbook_version as playbook_version
from known
cross join playbook.version as version
left join called using (is_marketing_present)
left join decided using (is_marketing_present)
order by known.is_marketing_present desc
