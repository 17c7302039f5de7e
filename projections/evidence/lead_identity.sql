-- evidence: lead_identity
-- says: the merge that decided it
select lead_id, 'LeadsMerged' as event_type, event_id from funnel.lead_identity
