-- evidence: feedback_loop
-- says: the latest return of each handoff, and what the offering team first answered to it
select from_team, to_team, reason_code, event_type, event_id
from evidence.feedback_loop_slice
where dimension = 'all' and window_unit = 'all'
