-- evidence: joint_call
-- says: the calls, and how the deals they were about ended
with
call as (
    select call_id, opportunity_id, is_marketing_present, event_id
    from resolved.call_held
    qualify row_number() over (partition by call_id order by occurred_at, event_id) = 1
),
deal as (
    select opportunity_id, bool_or(is_marketing_present) as is_marketing_present
    from call
    where opportunity_id is not null
    group by opportunity_id
)
select is_marketing_present, 'CallHeld' as event_type, event_id from call
union all
select is_marketing_present, outcome.event_type, outcome.place.event_id
from (
    select is_marketing_present, deal_outcome(known) as outcome
    from deal
    join (
        select opportunity_id, deal_known(event) as known from funnel.deal_event as event group by opportunity_id
    ) using (opportunity_id)
)
where outcome is not null
