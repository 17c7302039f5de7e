-- evidence: handoff_contact
-- says: the attempts, contacts and deals that count for the handoff
select handoff_id, event_type, event_id from evidence.handoff_contact_event
