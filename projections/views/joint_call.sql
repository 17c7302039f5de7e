-- view:   joint_call
-- grain:  one row for calls with Marketing on them and one for calls without
-- key:    is_marketing_present
-- reads:  resolved.call_held, funnel.deal_event, funnel.opportunity_amount, playbook.deal_stage, playbook.version
-- says:   what became of deals where Marketing was on a call, beside those where it was not
-- means:  A deal with any joint call counts as joint, and only there. Advanced: within 14 days after the call the deal
--         entered a stage that comes later, in the playbook's order of deal stages, than the one it was in at the
--         call; younger calls may still. Falling back is no advance. Where the playbook does not list one of the two
--         stages, a stage that the deal had not been in before counts as later. Win rate = won / (won + lost), with
--         what is still open shown apart. Joint calls are not assigned at random: a difference is a question to ask,
--         not a cause.
-- columns:
--   is_marketing_present     true for calls with Marketing on them
--   calls                    calls held
--   calls_on_deals           of those, calls about a deal
--   advanced_within_14_days  of those, followed by a later stage within 14 days
--   deals                    deals with such a call
--   won                      of those, won
--   lost                     of those, lost
--   still_open               of those, neither
--   win_rate                 won / (won + lost); null while nothing is decided
--   median_amount            median of the amounts last given for the deals (decimal)
--   unpriced                 deals without an amount, or with one that has no rate: not in the median
--   n                        deals decided: the cases behind the win rate
--   is_enough                true when n reaches the playbook's minimum
--   currency                 currency of the amount: the goal's
--   playbook_version         the playbook of the rates and the minimum
with
presence(is_marketing_present) as (values (true), (false)),
call as materialized (
    select call_id, opportunity_id, occurred_at, is_marketing_present
    from resolved.call_held
    qualify row_number() over (partition by call_id order by occurred_at, event_id) = 1
),
stage as materialized (
    select opportunity_id, stage, occurred_at as entered_at, place, position
    from funnel.deal_event
    left join playbook.deal_stage as deal_stage on deal_stage.deal_stage = stage
    where stage is not null
),
-- The stages a deal had been in by the call, and the one it was in.
call_stage as (
    select call_id, list(stage) as stages, arg_max({'position': position}, place).position as position
    from call
    join stage on stage.opportunity_id = call.opportunity_id and entered_at <= occurred_at
    group by call_id
),
call_result as (
    select call.*, exists (
        from stage
        where stage.opportunity_id = call.opportunity_id and entered_at > call.occurred_at
            and entered_at <= call.occurred_at + to_hours(336)
            and coalesce(stage.position > call_stage.position, not list_contains(stages, stage.stage), true)
    ) as is_advanced
    from call
    left join call_stage using (call_id)
),
calls_by_presence as (
    select is_marketing_present, count(*) as calls, count(opportunity_id) as calls_on_deals,
        count(*) filter (where is_advanced) as advanced
    from call_result
    group by is_marketing_present
),
deal as (
    select opportunity_id, bool_or(is_marketing_present) as is_marketing_present
    from call
    where opportunity_id is not null
    group by opportunity_id
),
deals_by_presence as (
    select
        is_marketing_present,
        count(*) as deals,
        count(*) filter (where status = 'won') as won,
        count(*) filter (where status = 'lost') as lost,
        count(*) filter (where amount is null) as unpriced,
        list_sort(list(amount) filter (where amount is not null)) as amounts
    from deal
    left join funnel.opportunity_amount using (opportunity_id)
    where status is distinct from 'credit'
    group by is_marketing_present
)
select
    presence.is_marketing_present,
    coalesce(calls, 0) as calls,
    coalesce(calls_on_deals, 0) as calls_on_deals,
    coalesce(advanced, 0) as advanced_within_14_days,
    coalesce(deals, 0) as deals,
    coalesce(won, 0) as won,
    coalesce(lost, 0) as lost,
    coalesce(deals - won - lost, 0) as still_open,
    won / nullif(won + lost, 0) as win_rate,
    middle_amount(amounts) as median_amount,
    coalesce(unpriced, 0) as unpriced,
    coalesce(won + lost, 0) as n,
    n >= version.minimum_n as is_enough,
    version.currency as currency,
    version.playbook_version as playbook_version
from presence
cross join playbook.version as version
left join calls_by_presence using (is_marketing_present)
left join deals_by_presence using (is_marketing_present)
order by presence.is_marketing_present desc
