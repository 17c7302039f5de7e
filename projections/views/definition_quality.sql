-- view:   definition_quality
-- grain:  one row per playbook version and segment with a qualified or a won lead; segment all is all of them
-- key:    playbook_version, segment
-- reads:  funnel.qualification, funnel.lead_identity, facts.handoff_offered, facts.handoff_accepted,
--         facts.handoff_returned, facts.opportunity_opened, facts.opportunity_won, facts.opportunity_lost,
--         playbook.team, playbook.rate, playbook.version, playbook.all_version
-- says:   how good the definition of a qualified lead is: how many of the qualified Sales take and win, how many
--         wins it had named before, and the money of those it had not
-- means:  Precision and recall as of any classifier: precision is the share of the qualified that turn out right,
--         recall the share of what was right that had been qualified. Right is, for acceptance, the first answer
--         at or after qualified_at to an offer of a marketing team to a sales team; and for a win, a deal won at
--         or after qualified_at. A deal counts for the lead its events name first; a deal that names none is not
--         counted here. A lead is lost when deals of it were lost since it qualified and none is open. A won
--         lead counts once, at its first win, under the version it was qualified by, else under the version in
--         force at that win; its segment is its lead's. The value missed is what was booked on deals won before
--         their lead was qualified, or without; each deal counts by its last outcome and amount.
-- columns:
--   playbook_version         the version of the definition
--   segment                  the sales region of the lead, unknown, or all
--   qualified                leads qualified by this version
--   answered                 of those, answered by Sales since they qualified
--   unanswered               of those, not answered since
--   accepted                 of those answered, accepted
--   returned                 of those answered, returned
--   precision_at_acceptance  accepted / answered
--   won                      of the qualified, won after they qualified
--   lost                     of the qualified, lost
--   still_open               of the qualified, neither
--   won_before               of the qualified, won before they qualified: the definition came too late
--   precision_at_win         won / (won + lost): of the qualified that are decided
--   wins                     won leads, qualified or not
--   wins_qualified           of those, qualified when they were won
--   recall                   wins_qualified / wins
--   missed_value             booked on the other wins, in the goal's currency (decimal)
--   unpriced                 deals of those wins in a currency without a rate, which missed_value lacks
--   currency                 the goal's currency
--   n                        the fewest cases one of the three shares rests on: of answered, won + lost, and wins
--   is_enough                true when n reaches the playbook's minimum
with
verdict as (
    select lead_id, segment, is_qualified, qualified_at, playbook_version from funnel.qualification
),
told as (
    select opportunity_id, lead_id, occurred_at, event_id from facts.opportunity_opened
    union all by name
    select opportunity_id, lead_id, occurred_at, event_id, 'won' as status, amount, currency
    from facts.opportunity_won
    union all by name
    select opportunity_id, lead_id, occurred_at, event_id, 'lost' as status from facts.opportunity_lost
),
deal as (
    select opportunity_id,
        (min({'at': occurred_at, 'event_id': event_id, 'lead_id': lead_id}) filter (where lead_id is not null))
            .lead_id as lead_id,
        max({'at': occurred_at, 'event_id': event_id, 'status': status, 'amount': amount, 'currency': currency})
            filter (where status is not null) as outcome
    from told
    where occurred_at <= $as_of
    group by opportunity_id
),
-- Deals of leads, each beside the verdict on its lead.
owned as (
    select
        deal.lead_id, coalesce(segment, 'unknown') as segment, qualified_at, playbook_version,
        outcome.status as status, outcome.at as closed_at,
        converted(outcome.amount, rate) as booked, rate is null as is_unpriced,
        outcome.status = 'won' and coalesce(qualified_at > outcome.at, true) as is_missed
    from (
        select coalesce(surviving_lead_id, deal.lead_id) as lead_id, outcome
        from deal
        left join funnel.lead_identity as identity on identity.lead_id = deal.lead_id
        where deal.lead_id is not null
    ) as deal
    left join playbook.rate as rate on rate.currency = outcome.currency
    left join verdict on verdict.lead_id = deal.lead_id
),
lead as (
    select
        lead_id, segment, qualified_at, playbook_version,
        min(closed_at) filter (where status = 'won') as won_at,
        count(*) filter (where status is null) as deals_open,
        count(*) filter (where status = 'lost' and closed_at >= qualified_at) as deals_lost,
        sum(booked) filter (where is_missed) as missed_value,
        count(*) filter (where is_missed and is_unpriced) as unpriced
    from owned
    group by all
),
offer as (
    select handoff_id, min({
        'at': occurred_at, 'event_id': event_id, 'lead_id': lead_id, 'from_team': from_team, 'to_team': to_team
    }) as said
    from facts.handoff_offered
    where occurred_at <= $as_of
    group by handoff_id
),
answer as (
    select handoff_id,
        min({'at': occurred_at, 'event_id': event_id, 'is_accepted': is_accepted}) as first_answer
    from (
        select handoff_id, occurred_at, event_id, true as is_accepted from facts.handoff_accepted
        union all
        select handoff_id, occurred_at, event_id, false as is_accepted from facts.handoff_returned
    )
    where occurred_at <= $as_of
    group by handoff_id
),
answered as (
    select verdict.lead_id, min(first_answer).is_accepted as is_accepted
    from offer
    join answer using (handoff_id)
    join playbook.team as sender on sender.team = said.from_team and sender.side = 'marketing'
    join playbook.team as receiver on receiver.team = said.to_team and receiver.side = 'sales'
    left join funnel.lead_identity as identity on identity.lead_id = said.lead_id
    join verdict on verdict.lead_id = coalesce(surviving_lead_id, said.lead_id)
    where first_answer.at >= verdict.qualified_at
    group by verdict.lead_id
),
-- What each lead adds: once as qualified, once as won.
case_of_qualified as (
    select
        verdict.playbook_version, unnest([verdict.segment, 'all']) as segment, is_accepted,
        case
            when won_at < verdict.qualified_at then 'won_before'
            when won_at is not null then 'won'
            when deals_lost > 0 and deals_open = 0 then 'lost'
            else 'still_open'
        end as fate
    from verdict
    left join answered using (lead_id)
    left join lead using (lead_id)
    where is_qualified
),
case_of_won as (
    select
        coalesce(case when is_named_before then lead.playbook_version end, at_win.playbook_version,
            version.playbook_version) as playbook_version,
        unnest([segment, 'all']) as segment, is_named_before, missed_value, unpriced
    from (
        select *, coalesce(qualified_at <= won_at, false) as is_named_before
        from lead
        where won_at is not null
    ) as lead
    asof left join (
        select playbook_version, coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from
        from playbook.all_version
    ) as at_win on lead.won_at >= at_win.in_force_from
    cross join playbook.version as version
),
of_qualified as (
    select
        playbook_version, segment,
        count(*) as qualified,
        count(*) filter (where is_accepted) as accepted,
        count(*) filter (where not is_accepted) as returned,
        count(*) filter (where fate = 'won') as won,
        count(*) filter (where fate = 'lost') as lost,
        count(*) filter (where fate = 'still_open') as still_open,
        count(*) filter (where fate = 'won_before') as won_before
    from case_of_qualified
    group by playbook_version, segment
),
of_won as (
    select
        playbook_version, segment,
        count(*) as wins,
        count(*) filter (where is_named_before) as wins_qualified,
        sum(missed_value)::decimal(38,2) as missed_value,
        sum(unpriced)::bigint as unpriced
    from case_of_won
    group by playbook_version, segment
),
counted as (
    select
        playbook_version, segment,
        coalesce(qualified, 0) as qualified,
        coalesce(accepted + returned, 0) as answered,
        coalesce(accepted, 0) as accepted,
        coalesce(returned, 0) as returned,
        coalesce(won, 0) as won,
        coalesce(lost, 0) as lost,
        coalesce(still_open, 0) as still_open,
        coalesce(won_before, 0) as won_before,
        coalesce(wins, 0) as wins,
        coalesce(wins_qualified, 0) as wins_qualified,
        coalesce(missed_value, 0)::decimal(38,2) as missed_value,
        coalesce(unpriced, 0) as unpriced
    from of_qualified
    full join of_won using (playbook_version, segment)
)
select
    counted.playbook_version,
    segment,
    qualified,
    answered,
    qualified - answered as unanswered,
    accepted,
    returned,
    accepted / nullif(answered, 0) as precision_at_acceptance,
    won,
    lost,
    still_open,
    won_before,
    won / nullif(won + lost, 0) as precision_at_win,
    wins,
    wins_qualified,
    wins_qualified / nullif(wins, 0) as recall,
    missed_value,
    unpriced,
    version.currency as currency,
    least(answered, won + lost, wins) as n,
    n >= own.minimum_n as is_enough
from counted
cross join playbook.version as version
join playbook.all_version as own on own.playbook_version = counted.playbook_version
