-- evidence: campaign_cost
-- says: its plans and bookings
select campaign_id, 'CampaignPlanned' as event_type, event_id from resolved.campaign_planned
union all
select campaign_id, 'CampaignCostBooked', event_id from resolved.campaign_cost_booked
