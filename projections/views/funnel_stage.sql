-- view:   funnel_stage
-- grain:  one row per stage and window in which a lead entered it or advanced from it
-- key:    stage, window_start
-- reads:  state.lead, playbook.stage, playbook.version
-- says:   the shared funnel: of those who entered a stage in a window, how many advanced, were lost, were
--         returned, or are still there; entered is always their sum
-- columns:
--   position            order of the stage
--   stage               the stage, by the playbook's name
--   window_start        first day of the window
--   entered             leads that entered the stage in the window
--   inferred            of those, how many skipped the stage and are counted by the next one they reached
--   advanced            of those who entered, how many ever reached the next stage
--   lost                of those who entered, how many were lost here
--   returned            of those who entered, how many were given back and not offered again
--   still_there         of those who entered, how many are undecided; never counted as lost
--   advanced_in_period  leads that advanced from the stage in the window, whenever they entered
--   cohort_rate         advanced / entered: of this cohort, the share that ever advanced; null for the last stage
--   in_period_rate      advanced_in_period / entered: advances and entries of the same window; null for the last stage
--   open_rate           still_there / entered: the share still undecided; null for the last stage
--   playbook_version    the playbook whose stages these are
with
own as (
    select
        lead_id, position, stage, own_at, last_lost_at, last_return_at, last_active_at
    from state.lead
    cross join playbook.stage as stage
    cross join lateral (
        select case stage.entered_by
            when 'LeadCaptured' then captured_at
            when 'TouchRecorded' then engaged_at
            when 'HandoffOffered' then offered_at
            when 'HandoffAccepted' then accepted_at
            when 'BuyerReached' then reached_at
            when 'OpportunityOpened' then opened_at
            when 'OpportunityWon' then won_at
        end as own_at
    )
),
-- A skipped stage was entered no later than the next one that was not.
entry as (
    select *,
        min(own_at) over (
            partition by lead_id order by position rows between current row and unbounded following
        ) as entered_at
    from own
),
step as (
    select *,
        lead(entered_at) over (partition by lead_id order by position) as advanced_at,
        position = max(position) over (partition by lead_id) as is_last_stage
    from entry
),
judged as (
    select *,
        own_at is null or own_at > entered_at as is_inferred,
        case
            when advanced_at is not null then 'advanced'
            when is_last_stage then 'still_there'
            when last_lost_at >= greatest(last_lost_at, last_return_at, last_active_at) then 'lost'
            when last_return_at >= greatest(last_lost_at, last_return_at, last_active_at) then 'returned'
            else 'still_there'
        end as outcome
    from step
    where entered_at is not null
),
entered as (
    select
        position, stage,
        date_trunc(version.window_unit, entered_at at time zone version.zone)::date as window_start,
        count(*) as entered,
        count(*) filter (where is_inferred) as inferred,
        count(*) filter (where outcome = 'advanced') as advanced,
        count(*) filter (where outcome = 'lost') as lost,
        count(*) filter (where outcome = 'returned') as returned,
        count(*) filter (where outcome = 'still_there') as still_there
    from judged cross join playbook.version as version
    group by all
),
advanced as (
    select
        position, stage,
        date_trunc(version.window_unit, advanced_at at time zone version.zone)::date as window_start,
        count(*) as advanced_in_period
    from judged cross join playbook.version as version
    where advanced_at is not null
    group by all
)
select
    position,
    stage,
    window_start,
    coalesce(entered, 0) as entered,
    coalesce(inferred, 0) as inferred,
    coalesce(advanced, 0) as advanced,
    coalesce(lost, 0) as lost,
    coalesce(returned, 0) as returned,
    coalesce(still_there, 0) as still_there,
    coalesce(advanced_in_period, 0) as advanced_in_period,
    advanced / judged as cohort_rate,
    coalesce(advanced_in_period, 0) / judged as in_period_rate,
    still_there / judged as open_rate,
    playbook_version
from entered
full join advanced using (position, stage, window_start)
cross join playbook.version
-- From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
cross join lateral (
    select case when position < (select max(position) from playbook.stage) then nullif(entered, 0) end as judged
)
order by position, window_start
