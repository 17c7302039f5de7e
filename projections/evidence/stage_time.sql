-- evidence: stage_time
-- says: the event by which each pass entered the stage; where it skipped the stage, the next one it reached
select stage, window_start, event_type, event_id
from evidence.funnel_stage
where stage <> (select arg_max(stage, position) from playbook.stage)
