-- evidence: campaign_lead
-- says: the LeadCaptured that names the campaign
select lead_id, 'LeadCaptured' as event_type, event_id from funnel.campaign_lead
