-- evidence: definition_quality
-- says: of the qualified what decided it, Sales' first answers, and lost deals; and the first win of each won lead
with
outcome as (
    select *, unnest([segment, 'all']) as shown from funnel.lead_outcome
),
behind as (
    select playbook_version, shown, event_type, event_id
    from outcome
    join evidence.qualification using (lead_id)
    where is_qualified
    union all
    select playbook_version, shown, event_type, event_id
    from outcome
    join evidence.lead_outcome using (lead_id)
    join facts.event as told using (event_type, event_id)
    where is_accepted is not null and event_type in ('HandoffAccepted', 'HandoffReturned')
        and told.occurred_at >= qualified_at
    union all
    select playbook_version, shown, event_type, event_id
    from outcome
    join evidence.lead_outcome using (lead_id)
    where fate = 'lost' and event_type = 'OpportunityLost'
    union all
    select win_version, shown, 'OpportunityWon', first.event_id
    from outcome
    join (
        select deal.lead_id, min({'at': closed_at, 'event_id': win.event_id}).event_id as event_id
        from funnel.opportunity_amount as deal
        join evidence.win as win using (opportunity_id)
        group by deal.lead_id
    ) as first using (lead_id)
    where won_at is not null
)
select playbook_version, shown as segment, event_type, event_id from behind
