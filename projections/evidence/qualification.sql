-- evidence: qualification
-- says: for each criterion the event that set its value, or was the last one needed
select lead_id,
    case decided.kind
        when 'fit' then 'LeadProfiled'
        when 'intent' then 'TouchRecorded'
        when 'group' then 'BuyingGroupMemberIdentified'
    end as event_type,
    decided.event_id as event_id
from (select lead_id, unnest(criteria) as decided from funnel.qualification)
where decided.event_id is not null
