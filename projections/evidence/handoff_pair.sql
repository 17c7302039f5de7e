-- evidence: handoff_pair
-- says: the offer of each handoff of the pair, and its first answer
select from_team, to_team, event_type, event_id
from evidence.handoff_pair_slice
where dimension = 'all' and window_unit = 'all'
