-- evidence: funnel_stage
-- says: the event by which each pass entered the stage; where it skipped the stage, the next one it reached
select stage, window_start, event_type, event_id
from evidence.funnel_stage_slice
join playbook.window_unit using (window_unit)
where dimension = 'all' and is_playbook_window
