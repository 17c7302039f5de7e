-- evidence: coverage_day
-- says: the first event of a deal, since which there is something to look at
select looked_on, event_type, event_id
from funnel.coverage_day
cross join (
    select event_type, event_id
    from funnel.deal_event
    where event_type <> 'OpportunityStageEntered'
    order by place
    limit 1
)
