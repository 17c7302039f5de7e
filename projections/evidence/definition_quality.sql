-- evidence: definition_quality
-- says: of the qualified what decided it, the first answer since then, and lost deals; and the first win of
--         each won lead
select playbook_version, value as segment, event_type, event_id
from evidence.definition_quality_slice
where dimension in ('all', 'region') and window_unit = 'all'
