-- evidence: handoff_contact_event
-- says: the attempt or the contact; of a deal its opening
select handoff_id, kind, contact_id,
    case kind when 'reached' then 'BuyerReached' else 'ContactAttempted' end as event_type, contact_id as event_id
from funnel.handoff_contact_event
where kind in ('human', 'automated', 'reached')
union all
select contact.handoff_id, kind, contact_id, event_type, event_id
from funnel.handoff_contact_event as contact
join funnel.deal_event as event
    on event.opportunity_id = contact.contact_id and event.occurred_at = contact.occurred_at
where kind in ('deal', 'lost_deal') and event_type = 'OpportunityOpened'
