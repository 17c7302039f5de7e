-- view:   deal_attribute
-- grain:  one row per deal and attribute that the playbook declares of deals and an event states
-- key:    opportunity_id, name
-- reads:  resolved.opportunity_opened, playbook.attribute
-- says:   what the sources say of a deal beside the fields of the contract (product, partner, plan), first and last
-- means:  An attribute of a deal is stated by OpportunityOpened; a deal that is merged or opened a second time has
--         several. Empty values state nothing. Events of one instant count by their id. Join by opportunity_id to
--         slice any number that has deals.
-- columns:
--   opportunity_id  the deal; of merged ones the one that survives
--   name            the attribute
--   first_value     its value as first stated
--   first_said_at   when that was
--   first_event_id  the event that stated it
--   last_value      its value as last stated
--   last_said_at    when that was
--   last_event_id   the event that stated it
with
mention as (
    select opportunity_id, occurred_at, event_id, unnest(attributes) as attribute
    from resolved.opportunity_opened
),
stated as (
    select
        opportunity_id,
        declared.name as name,
        {'at': occurred_at, 'event_id': event_id, 'value': attribute.value} as statement
    from mention
    join playbook.attribute as declared on declared.name = attribute.name and declared.attribute_of = 'deal'
    where attribute.value <> ''
)
select
    opportunity_id,
    name,
    min(statement).value as first_value,
    min(statement).at as first_said_at,
    min(statement).event_id as first_event_id,
    max(statement).value as last_value,
    max(statement).at as last_said_at,
    max(statement).event_id as last_event_id
from stated
group by opportunity_id, name
