-- view:   funnel_stage
-- grain:  one row per stage and window in which a lead entered it or advanced from it
-- key:    stage, window_start
-- reads:  state.lead, funnel.lead_identity, facts.handoff_offered, playbook.stage, playbook.team,
--         playbook.version
-- says:   the shared funnel: of those who entered a stage in a window, how many advanced, were lost, were
--         returned, were handed elsewhere, or are still there; entered is always their sum
-- means:  A lead that has not advanced is where the last thing said of it leaves it: lost by a lost deal or a
--         disqualified return, returned by a return, and otherwise taken up again by an offer, an acceptance or
--         a deal (of several in one instant: lost, then returned). Of those taken up, elsewhere are the leads
--         whose latest offer went to a team the playbook does not know, such as a partner: they left this
--         funnel and are neither lost nor waiting in it. Merged leads are one lead, with what happened to each.
-- columns:
--   position            order of the stage
--   stage               the stage, by the playbook's name
--   buyer_step          where the buyer stands then, in the playbook's words
--   window_start        first day of the window
--   entered             leads that entered the stage in the window
--   inferred            of those, how many skipped the stage and are counted by the next one they reached
--   advanced            of those who entered, how many ever reached the next stage
--   lost                of those who entered, how many were lost here
--   returned            of those who entered, how many were given back and not offered again
--   elsewhere           of those who entered, how many were handed to a team outside this funnel
--   still_there         of those who entered, how many are undecided; never counted as lost
--   advanced_in_period  leads that advanced from the stage in the window, whenever they entered
--   cohort_rate         advanced / entered: of this cohort, the share that ever advanced; null for the last stage
--   in_period_rate      advanced_in_period / entered: advances and entries of the same window; null for the last stage
--   open_rate           still_there / entered: the share still undecided; null for the last stage
--   playbook_version    the playbook whose stages these are
with
-- Merged leads are one, so each moment is the first or the last of all of them.
person as (
    select
        coalesce(surviving_lead_id, lead.lead_id) as lead_id,
        min(captured_at) as captured_at,
        min(engaged_at) as engaged_at,
        min(offered_at) as offered_at,
        min(accepted_at) as accepted_at,
        min(reached_at) as reached_at,
        min(opened_at) as opened_at,
        min(won_at) as won_at,
        max(last_lost_at) as last_lost_at,
        max(last_return_at) as last_return_at,
        max(last_active_at) as last_active_at
    from state.lead as lead
    left join funnel.lead_identity as identity on identity.lead_id = lead.lead_id
    group by all
),
-- Leads whose latest offer went to a team that is not in this funnel.
gone as (
    select coalesce(surviving_lead_id, offered.lead_id) as lead_id, true as is_elsewhere
    from facts.handoff_offered as offered
    left join funnel.lead_identity as identity on identity.lead_id = offered.lead_id
    group by all
    having max({'at': occurred_at, 'event_id': offered.event_id, 'to_team': to_team}).to_team
        not in (select team from playbook.team)
),
own as (
    select
        lead_id, position, stage, buyer_step, own_at, last_lost_at, last_return_at, last_active_at
    from person
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
            when is_elsewhere then 'elsewhere'
            else 'still_there'
        end as outcome
    from step
    left join gone using (lead_id)
    where entered_at is not null
),
entered as (
    select
        position, stage, buyer_step,
        date_trunc(version.window_unit, entered_at at time zone version.zone)::date as window_start,
        count(*) as entered,
        count(*) filter (where is_inferred) as inferred,
        count(*) filter (where outcome = 'advanced') as advanced,
        count(*) filter (where outcome = 'lost') as lost,
        count(*) filter (where outcome = 'returned') as returned,
        count(*) filter (where outcome = 'elsewhere') as elsewhere,
        count(*) filter (where outcome = 'still_there') as still_there
    from judged cross join playbook.version as version
    group by all
),
advanced as (
    select
        position, stage, buyer_step,
        date_trunc(version.window_unit, advanced_at at time zone version.zone)::date as window_start,
        count(*) as advanced_in_period
    from judged cross join playbook.version as version
    where advanced_at is not null
    group by all
)
select
    position,
    stage,
    buyer_step,
    window_start,
    coalesce(entered, 0) as entered,
    coalesce(inferred, 0) as inferred,
    coalesce(advanced, 0) as advanced,
    coalesce(lost, 0) as lost,
    coalesce(returned, 0) as returned,
    coalesce(elsewhere, 0) as elsewhere,
    coalesce(still_there, 0) as still_there,
    coalesce(advanced_in_period, 0) as advanced_in_period,
    advanced / judged as cohort_rate,
    coalesce(advanced_in_period, 0) / judged as in_period_rate,
    still_there / judged as open_rate,
    playbook_version
from entered
full join advanced using (position, stage, buyer_step, window_start)
cross join playbook.version
-- From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
cross join lateral (
    select case when position < (select max(position) from playbook.stage) then nullif(entered, 0) end as judged
)
order by position, window_start
