-- evidence: lead_journey
-- says: the event itself
select lead_id, position, event_type, event_id from funnel.lead_journey
