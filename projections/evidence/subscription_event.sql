-- evidence: subscription_event
-- says: the event itself
select event_type, event_id from funnel.subscription_event
