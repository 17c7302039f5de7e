-- evidence: stage_time_slice
-- says: the event by which each pass entered the stage; where it skipped the stage, the next one it reached
select dimension, value, window_unit, window_start, stage, event_type, event_id
from evidence.funnel_stage_slice
where stage <> (select arg_max(stage, position) from playbook.stage)
