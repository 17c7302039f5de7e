-- evidence: handoff_signal
-- says: the buyer's first signal that nobody had answered
select handoff_id, 'TouchRecorded' as event_type, event_id from funnel.handoff_signal
