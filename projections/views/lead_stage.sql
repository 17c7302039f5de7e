-- view:   lead_stage
-- grain:  one row per lead, pass and stage of the funnel that it entered
-- key:    lead_id, pass, stage
-- stored: lead_id
-- reads:  funnel.lead_pass, funnel.stage_entry, funnel.handoff_live_period, funnel.deal, resolved.handoff_offered,
--         resolved.handoff_returned, playbook.stage, playbook.team, playbook.version
-- says:   when each lead entered each stage in each of its passes, when it left it, and how it stands there
-- means:  See funnel_stage, which counts these rows, and lead_pass.
-- columns:
--   lead_id           the lead; of merged ones the one that survives
--   pass              which of its ways through the funnel, from 1
--   position          order of the stage
--   stage             the stage, by the playbook's name
--   buyer_step        where the buyer stands then, in the playbook's words
--   entered_at        when the lead entered the stage; a stage it skipped, when it entered the next one it reached
--   is_inferred       true when it skipped the stage
--   is_clock_suspect  true when the stage was entered before the lead was captured, by the clock of its source; it
--                     counts as of the capture
--   advanced_at       when it entered the next stage; null until then
--   left_at           when it advanced, was lost, returned or handed elsewhere; null while it is there
--   outcome           advanced, lost, returned, elsewhere or still_there
--   entered_on        the day of entered_at in the playbook's zone
--   advanced_on       the day of advanced_at in the playbook's zone
with
pass as materialized (
    select * from funnel.lead_pass
),
open_pass as (
    select lead_id, pass, case when pass = 1 then '-infinity'::timestamptz else began_at end as from_at
    from pass
    where ended_at is null
),
pass_entry as (
    select pass.lead_id, pass.pass, position, min(entered_at) as first_at,
        arg_min(is_clock_suspect, reported_at) as is_clock_suspect
    from funnel.stage_entry as entry
    asof join pass on pass.lead_id = entry.lead_id and entry.begun_at >= pass.began_at
    where coalesce(begun_at <= ended_at, true)
    group by all
),
-- Given back, and nobody has it.
returned as (
    select lead_id, pass, max(occurred_at) as returned_at
    from open_pass
    join resolved.handoff_returned using (lead_id)
    where occurred_at >= from_at
    group by all
),
being_worked as (
    select distinct lead_id, pass
    from open_pass
    join (
        select lead_id, held_at from funnel.handoff_live_period where until_at is null
        union all
        select lead_id, opened_at from funnel.deal where status = 'open'
    ) using (lead_id)
    where held_at >= from_at
),
-- The team of its latest offer is none of the playbook's.
offered_elsewhere as (
    select lead_id, pass, max({'at': occurred_at, 'event_id': event_id, 'to_team': to_team}) as latest_offer
    from open_pass
    join resolved.handoff_offered using (lead_id)
    where occurred_at >= from_at
    group by all
    having (latest_offer).to_team not in (select team from playbook.team)
),
-- A skipped stage was entered no later than the next one that was not.
pass_stage as (
    select lead_id, pass, outcome, ended_at, position, stage, buyer_step, first_at, is_clock_suspect,
        min(first_at) over (
            partition by lead_id, pass order by position rows between current row and unbounded following
        ) as entered_at
    from pass
    cross join playbook.stage
    left join pass_entry using (lead_id, pass, position)
),
advance as (
    select *,
        lead(entered_at) over (partition by lead_id, pass order by position) as advanced_at,
        position = max(position) over (partition by lead_id, pass) as is_last_stage
    from pass_stage
)
select
    lead_id,
    pass,
    position,
    stage,
    buyer_step,
    entered_at,
    first_at is null or first_at > entered_at as is_inferred,
    coalesce(is_clock_suspect, false) as is_clock_suspect,
    advanced_at,
    case advance_outcome
        when 'advanced' then advanced_at
        when 'lost' then ended_at
        when 'returned' then returned_at
        when 'elsewhere' then (latest_offer).at
    end as left_at,
    advance_outcome as outcome,
    (entered_at at time zone zone)::date as entered_on,
    (advanced_at at time zone zone)::date as advanced_on
from advance
left join returned using (lead_id, pass)
left join being_worked using (lead_id, pass)
left join offered_elsewhere using (lead_id, pass)
cross join playbook.version
cross join lateral (
    select case
        when advanced_at is not null then 'advanced'
        when is_last_stage or advance.outcome = 'won' then 'still_there'
        when advance.outcome in ('lost', 'disqualified') then 'lost'
        when returned_at is not null and being_worked.lead_id is null then 'returned'
        when latest_offer is not null then 'elsewhere'
        else 'still_there'
    end as advance_outcome
)
where entered_at is not null
