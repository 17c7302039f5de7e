-- evidence: black_hole
-- says: the offer of each handoff in the state, one event each
select state, event_type, event_id
from evidence.black_hole_slice
where dimension = 'all' and window_unit = 'all'
