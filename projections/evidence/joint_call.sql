-- evidence: joint_call
-- says: the calls, and how the deals they were about ended
with
held as (
    select call_id, opportunity_id, is_marketing_present, event_id
    from facts.call_held
    where occurred_at <= $as_of
    qualify row_number() over (partition by call_id order by occurred_at, event_id) = 1
),
deal as (
    select opportunity_id, bool_or(is_marketing_present) as is_marketing_present
    from held
    where opportunity_id is not null
    group by opportunity_id
)
select is_marketing_present, 'CallHeld' as event_type, event_id from held
union all
select is_marketing_present, event_type, event_id
from (
    select is_marketing_present, event_type, event_id
    from deal
    join facts.event as ended using (opportunity_id)
    where event_type in ('OpportunityWon', 'OpportunityLost') and ended.occurred_at <= $as_of
    qualify row_number() over (partition by opportunity_id order by ended.occurred_at desc, event_id desc) = 1
)
