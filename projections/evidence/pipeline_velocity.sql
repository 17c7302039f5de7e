-- evidence: pipeline_velocity
-- says: the events of the segment's deals that are open, or were opened in the cohort
select value as segment, event_type, event_id
from evidence.pipeline_velocity_slice
where dimension = 'region'
