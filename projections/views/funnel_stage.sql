-- view:   funnel_stage
-- grain:  one row per stage and window in which a lead entered it or advanced from it
-- key:    stage, window_start
-- reads:  funnel.lead_stage, playbook.stage, playbook.version
-- says:   the shared funnel: of those who entered a stage in a window, how many advanced, were lost, were
--         returned, were handed elsewhere, or are still there; entered is always their sum
-- means:  A lead that has not advanced is where the latest event about it leaves it: lost by a lost deal or a
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
lead_stage as materialized (
    select * from funnel.lead_stage
),
entered as (
    select
        position, stage, buyer_step,
        window_of(entered_at at time zone version.zone, version.window_unit, version.week_begins) as window_start,
        count(*) as entered,
        count(*) filter (where is_inferred) as inferred,
        count(*) filter (where outcome = 'advanced') as advanced,
        count(*) filter (where outcome = 'lost') as lost,
        count(*) filter (where outcome = 'returned') as returned,
        count(*) filter (where outcome = 'elsewhere') as elsewhere,
        count(*) filter (where outcome = 'still_there') as still_there
    from lead_stage cross join playbook.version as version
    group by all
),
advanced as (
    select
        position, stage, buyer_step,
        window_of(advanced_at at time zone version.zone, version.window_unit, version.week_begins) as window_start,
        count(*) as advanced_in_period
    from lead_stage cross join playbook.version as version
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
    advanced / convertible as cohort_rate,
    coalesce(advanced_in_period, 0) / convertible as in_period_rate,
    still_there / convertible as open_rate,
    playbook_version
from entered
full join advanced using (position, stage, buyer_step, window_start)
cross join playbook.version
-- From the last stage nobody advances: it has no conversion, and nothing is undecided in it.
cross join lateral (
    select case when position < (select max(position) from playbook.stage) then nullif(entered, 0) end as convertible
)
order by position, window_start
