-- evidence: buyer_touch
-- says: the touch itself
select event_type, event_id from funnel.buyer_touch
