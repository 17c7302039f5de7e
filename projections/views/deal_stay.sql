-- view:   deal_stay
-- grain:  one row per stay of a deal in a stage
-- key:    opportunity_id, number
-- reads:  funnel.deal_event, playbook.deal_stage
-- says:   how long each deal stayed in each stage, and how the stay ended
-- means:  A stay begins when the deal enters the stage, or is opened in it, and ends with the next stage, a win or a
--         loss. To enter the stage again that the deal is in begins no new stay. A stage entered while a deal is won
--         or lost begins none; one that is reopened is back in its last stage. Whether the next stage is forward or
--         back is decided by the playbook's order of deal stages; with a stage that is not listed it is elsewhere.
-- columns:
--   opportunity_id  the deal
--   number          which stay of the deal it is, from 1
--   stage           the stage
--   position        its place in the playbook's order of deal stages; null when it is not listed
--   entered_at      when the stay began
--   left_at         when it ended; null while the deal is in the stage
--   left_for        forward, back, elsewhere, won or lost; null while the deal is in the stage
--   days            days from entered_at to left_at, with their fraction; null while the deal is in the stage
--   age_days        days from entered_at to as-of; null when it ended
with
event as (
    select opportunity_id, place, occurred_at, stage,
        case
            when event_type = 'OpportunityWon' then 'won'
            when event_type = 'OpportunityLost' then 'lost'
            when event_type = 'OpportunityReopened' then 'open'
            when event_type = 'OpportunityOpened' and not is_of_merged and row_number() over (
                partition by opportunity_id, event_type, is_of_merged order by place) > 1 then 'open'
        end as status
    from funnel.deal_event
    where event_type <> 'OpportunityRevised' and (not is_of_merged or stage is not null)
),
-- After each event: the stage the deal was last in, and how it stands.
moment as (
    select opportunity_id, place, occurred_at,
        last_value(stage ignore nulls) over until_here as stage,
        coalesce(last_value(status ignore nulls) over until_here, 'open') as status
    from event
    window until_here as (partition by opportunity_id order by place rows unbounded preceding)
),
change as (
    select *
    from moment
    window in_order as (partition by opportunity_id order by place)
    qualify stage is distinct from lag(stage) over in_order or status is distinct from lag(status) over in_order
),
stay as (
    select *, lead(occurred_at) over in_order as left_at, lead(stage) over in_order as next_stage,
        lead(status) over in_order as next_status
    from change
    window in_order as (partition by opportunity_id order by place)
)
select
    opportunity_id,
    row_number() over (partition by opportunity_id order by place) as number,
    stage,
    own.position,
    occurred_at as entered_at,
    left_at,
    case
        when left_at is null then null
        when next_status <> 'open' then next_status
        when other.position > own.position then 'forward'
        when other.position < own.position then 'back'
        else 'elsewhere'
    end as left_for,
    (epoch_us(left_at) - epoch_us(occurred_at)) / 86400000000 as days,
    case when left_at is null then greatest(0, epoch_us($as_of) - epoch_us(occurred_at)) / 86400000000 end as age_days
from stay
left join playbook.deal_stage as own on own.deal_stage = stage
left join playbook.deal_stage as other on other.deal_stage = next_stage
where status = 'open' and stage is not null
