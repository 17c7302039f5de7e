-- view:   lead_outcome
-- grain:  one row per lead that is qualified or won
-- key:    lead_id
-- reads:  funnel.lead_verdict, funnel.lead_identity, facts.handoff_offered, facts.handoff_accepted,
--         facts.handoff_returned, facts.opportunity_opened, facts.opportunity_won, facts.opportunity_lost,
--         playbook.team, playbook.rate, playbook.version, playbook.all_version
-- says:   what became of each qualified lead, and whether each win had been named before: what the definition's
--         quality is counted from
-- means:  See definition_quality. A lead's outcome is judged from the moment it qualified; a win that came
--         before makes the definition late, not right.
-- columns:
--   lead_id              the lead, the surviving one
--   segment              the sales region it was captured in, or unknown
--   is_qualified         true when it met a playbook's definition
--   qualified_at         when it first did
--   playbook_version     the version it was qualified by
--   is_accepted          whether Sales' first answer since then took it; null without an answer
--   fate                 of the qualified: won, lost, still_open, or won_before it qualified
--   won_at               its first win
--   is_named_before      true when it was qualified by then
--   win_version          the version that win counts for
--   missed_value         booked on wins that no definition had named before (decimal)
--   unpriced             deals of those in a currency without a rate, which missed_value lacks
--   booked               booked on all its wins, in the goal's currency (decimal)
with
identity as materialized (
    select lead_id, surviving_lead_id from funnel.lead_identity
),
verdict as materialized (
    select lead_id, segment, is_qualified, qualified_at, playbook_version from funnel.lead_verdict
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
        left join identity on identity.lead_id = deal.lead_id
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
        sum(booked) filter (where status = 'won') as booked,
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
    left join identity on identity.lead_id = said.lead_id
    join verdict on verdict.lead_id = coalesce(surviving_lead_id, said.lead_id)
    where first_answer.at >= verdict.qualified_at
    group by verdict.lead_id
)
select
    coalesce(verdict.lead_id, lead.lead_id) as lead_id,
    coalesce(verdict.segment, lead.segment) as segment,
    coalesce(is_qualified, false) as is_qualified,
    verdict.qualified_at,
    case when is_qualified then verdict.playbook_version end as playbook_version,
    is_accepted,
    case
        when not is_qualified then null
        when won_at < verdict.qualified_at then 'won_before'
        when won_at is not null then 'won'
        when deals_lost > 0 and deals_open = 0 then 'lost'
        else 'still_open'
    end as fate,
    won_at,
    case when won_at is not null then coalesce(verdict.qualified_at <= won_at, false) end as is_named_before,
    case
        when won_at is null then null
        when verdict.qualified_at <= won_at then verdict.playbook_version
        else coalesce(at_win.playbook_version, version.playbook_version)
    end as win_version,
    missed_value::decimal(38,2) as missed_value,
    coalesce(unpriced, 0) as unpriced,
    booked::decimal(38,2) as booked
from verdict
full join lead on lead.lead_id = verdict.lead_id
left join answered on answered.lead_id = verdict.lead_id
asof left join (
    select playbook_version, coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from
    from playbook.all_version
) as at_win on won_at >= at_win.in_force_from
cross join playbook.version as version
where is_qualified or won_at is not null
