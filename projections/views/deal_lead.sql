-- view:   deal_lead
-- grain:  one row per deal and lead it came from
-- key:    opportunity_id, lead_id
-- stored: opportunity_id
-- reads:  funnel.deal_event, funnel.lead_account, funnel.handoff_event
-- says:   which leads a deal came from, and which of them counts it; every number that needs a deal's lead reads it here
-- means:  The leads are those that the deal's own events name; else the lead of the handoff that its opening names;
--         else the leads of its company that events had linked to it when the deal was first reported. They stand in
--         the order in which they were named, or linked. The first one counts the deal, so that no deal counts
--         twice; touches of all of them are on its path (see buying_session).
-- columns:
--   opportunity_id  the deal
--   lead_id         the lead; of merged ones the one that survives
--   position        its place in that order, from 1
--   is_counted      true for the first
--   named_by        what names it: deal, handoff or account
with
deal as (
    select opportunity_id,
        min(occurred_at) as first_at,
        deal_account(event) as account_id,
        arg_min(handoff_id, place) as handoff_id
    from funnel.deal_event as event
    group by opportunity_id
),
named as (
    select opportunity_id, lead_id, min(place) as place
    from funnel.deal_event
    where lead_id is not null
    group by opportunity_id, lead_id
),
candidate as (
    select opportunity_id, lead_id, 1 as rank, 'deal' as named_by, place.occurred_at as named_at, place as place
    from named
    union all by name
    select opportunity_id, handoff.lead_id, 2 as rank, 'handoff' as named_by
    from deal
    join (
        select handoff_id, arg_min(lead_id, place) as lead_id
        from funnel.handoff_event
        where event_type = 'HandoffOffered'
        group by handoff_id
    ) as handoff using (handoff_id)
    union all by name
    select opportunity_id, lead_account.lead_id, 3 as rank, 'account' as named_by, linked_at as named_at
    from deal
    join funnel.lead_account as lead_account
        on lead_account.account_id = deal.account_id and linked_at <= first_at
)
select
    opportunity_id,
    lead_id,
    row_number() over (partition by opportunity_id order by rank, place, named_at, lead_id) as position,
    position = 1 as is_counted,
    named_by
from candidate
where lead_id is not null
qualify rank = min(rank) over (partition by opportunity_id)
