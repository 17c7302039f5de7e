-- evidence: deal_without_lead
-- says: how each deal was opened, won or lost that counts in the window
with
deal as materialized (
    select opportunity_id, coalesce(opened_at, closed_at) as opened_at,
        case when status in ('won', 'credit') then closed_at end as won_at
    from funnel.opportunity_amount
),
counted as (
    select opportunity_id, opened_at as counted_at from deal where opened_at is not null
    union
    select opportunity_id, won_at from deal where won_at is not null
)
select date_trunc(window_unit, counted_at at time zone zone)::date as window_start, event_type, event_id
from counted
join funnel.deal_event using (opportunity_id)
cross join playbook.version
where event_type in ('OpportunityOpened', 'OpportunityWon', 'OpportunityLost')
