-- view:   lead_attribute
-- grain:  one row per lead and attribute that the playbook declares of leads or touches and an event states
-- key:    lead_id, name
-- reads:  resolved.lead_captured, resolved.lead_profiled, resolved.touch_recorded, resolved.handoff_offered,
--         playbook.attribute
-- says:   what the sources say of a lead beside the fields of the contract (product, UTM, landing page), first and last
-- means:  An attribute of a lead is stated by LeadCaptured, LeadProfiled and HandoffOffered, one of a touch by
--         TouchRecorded; a name that is declared of both is one attribute, stated by all four. Empty values state
--         nothing. Events of one instant count in the order captured, touched, profiled, offered, then by id. Join by
--         lead_id to slice any number that has leads: by first_value for where they came from, by last_value for
--         what they are now.
-- columns:
--   lead_id         the lead; of merged ones the one that survives
--   name            the attribute
--   first_value     its value as first stated
--   first_said_at   when that was
--   first_event_id  the event that stated it
--   last_value      its value as last stated
--   last_said_at    when that was
--   last_event_id   the event that stated it
with
mention as (
    select 'lead' as attribute_of, 1 as rank, lead_id, occurred_at, event_id, unnest(attributes) as attribute
    from resolved.lead_captured
    union all by name
    select 'touch' as attribute_of, 2 as rank, lead_id, occurred_at, event_id, unnest(attributes) as attribute
    from resolved.touch_recorded
    union all by name
    select 'lead' as attribute_of, 3 as rank, lead_id, occurred_at, event_id, unnest(attributes) as attribute
    from resolved.lead_profiled
    union all by name
    select 'lead' as attribute_of, 4 as rank, lead_id, occurred_at, event_id, unnest(attributes) as attribute
    from resolved.handoff_offered
),
stated as (
    select
        lead_id,
        declared.name as name,
        {'at': occurred_at, 'rank': rank, 'event_id': event_id, 'value': attribute.value} as statement
    from mention
    join playbook.attribute as declared
        on declared.name = attribute.name and declared.attribute_of = mention.attribute_of
    where lead_id is not null and attribute.value <> ''
)
select
    lead_id,
    name,
    min(statement).value as first_value,
    min(statement).at as first_said_at,
    min(statement).event_id as first_event_id,
    max(statement).value as last_value,
    max(statement).at as last_said_at,
    max(statement).event_id as last_event_id
from stated
group by lead_id, name
