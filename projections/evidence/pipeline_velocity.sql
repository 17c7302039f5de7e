-- evidence: pipeline_velocity
-- says: the events of the segment's deals that are open, or were opened in the cohort
select coalesce(lead.segment, 'unknown') as segment, event_type, event_id
from funnel.deal as deal
join funnel.deal_event using (opportunity_id)
left join funnel.lead as lead on lead.lead_id = deal.lead_id
cross join playbook.version
where deal.status <> 'credit' and deal.opened_at is not null
    and (deal.status = 'open' or deal.opened_at >= $as_of - to_microseconds(cohort_us))
