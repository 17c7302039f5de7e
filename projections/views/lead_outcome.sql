-- view:   lead_outcome
-- grain:  one row per lead that is qualified or won
-- key:    lead_id
-- stored: lead_id
-- reads:  funnel.lead_verdict, funnel.deal, funnel.handoff_offer, playbook.team, playbook.rate, playbook.version,
--         playbook.all_version
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
--   missed_value         booked on wins that no definition had named before, not yet rounded to cents (decimal)
--   unpriced             deals of those in a currency without a rate, which missed_value lacks
--   booked               booked on all its wins, in the goal's currency (decimal)
with
verdict as materialized (
    select lead_id, segment, is_qualified, qualified_at, playbook_version from funnel.lead_verdict
),
judged_deal as (
    select
        deal.lead_id, coalesce(segment, 'unknown') as segment, status, closed_at, qualified_at,
        converted(booked_amount, rate) as booked, rate is null as is_unpriced,
        status = 'won' and coalesce(qualified_at > closed_at, true) as is_missed
    from funnel.deal as deal
    cross join playbook.version as version
    left join playbook.rate as exchange
        on is_rate_of(exchange, booked_currency, (closed_at at time zone version.zone)::date)
    left join verdict on verdict.lead_id = deal.lead_id
    where deal.lead_id is not null
),
deals as (
    select
        lead_id, segment,
        min(closed_at) filter (where status = 'won') as won_at,
        count(*) filter (where status = 'open') as deals_open,
        count(*) filter (where status = 'lost' and closed_at >= qualified_at) as deals_lost,
        sum(booked) as booked,
        sum(booked) filter (where is_missed) as missed_value,
        count(*) filter (where is_missed and is_unpriced) as unpriced
    from judged_deal
    group by lead_id, segment
),
-- Sales' first answer since the lead qualified, to an offer of Marketing.
answered as (
    select lead_id, min(first_answer).answer = 'accepted' as is_accepted
    from funnel.handoff_offer
    join playbook.team as sender on sender.team = from_team and sender.side = 'marketing'
    join playbook.team as receiver on receiver.team = to_team and receiver.side = 'sales'
    join verdict using (lead_id)
    where first_answer.place.occurred_at >= qualified_at
    group by lead_id
)
select
    coalesce(verdict.lead_id, deals.lead_id) as lead_id,
    coalesce(verdict.segment, deals.segment) as segment,
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
    missed_value,
    coalesce(unpriced, 0) as unpriced,
    booked::decimal(38,2) as booked
from verdict
full join deals on deals.lead_id = verdict.lead_id
left join answered on answered.lead_id = verdict.lead_id
asof left join (
    select playbook_version, coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from
    from playbook.all_version
) as at_win on won_at >= at_win.in_force_from
cross join playbook.version as version
where is_qualified or won_at is not null
