-- evidence: stage_conversion
-- says: the event by which each pass entered the first stage; where it skipped the stage, the next one it reached
select earlier.stage as from_stage, later.stage as to_stage, window_start, event_type, event_id
from evidence.funnel_stage as entry
join playbook.stage as earlier on earlier.stage = entry.stage
join playbook.stage as later on later.position > earlier.position
