-- view:   goal
-- grain:  one row per goal in force
-- key:    goal_id
-- reads:  resolved.goal_set, playbook.goal, playbook.rate, playbook.version
-- says:   what is to be reached: every goal in money, for a year, a quarter or a month, with the team that owns it
-- means:  A line of the plan is a period, a metric, an owner and a scope, and it has one goal: the one that was last
--         set by an event, or else the playbook's. A goal whose parent was replaced serves the replacement. Fiscal years begin in
--         the month that the playbook names and are called after the calendar year in which they begin. The goal's
--         currency is converted into the playbook's at the rate of the period's first day; without a rate the goal
--         is unpriced. A goal is a part of another one, and never added to it, when it serves a goal of the same
--         period and metric; one of a team is a part too when that period and metric have a goal for the company.
-- columns:
--   goal_id         the goal
--   parent_goal_id  the goal it serves; null at the top
--   period          a year, quarter or month, or a fiscal year or quarter: 2026, 2026-Q1, 2026-03, FY2026, FY2026-Q1
--   starts_on       first day
--   ends_on         last day
--   metric          revenue, pipeline or retained_revenue
--   owner_team      the team that owns the line
--   scope           company: all that is sold counts; team: what the owner team itself brings
--   amount          the goal as it was set
--   currency        currency it was set in
--   goal_amount     the goal in the playbook's currency; null without a rate
--   is_priced       true when the playbook has a rate for it
--   is_part         true when it is a part of another goal of its period and metric: sums leave it out
--   set_by          event or playbook
--   set_at          when it was set; for the playbook's, since when that playbook is in force
with
goal_event as (
    select goal_id, parent_goal_id, period, metric, owner_team, amount, currency,
        case when scope = 'team' then scope else 'company' end as scope, 'event' as set_by, occurred_at as set_at, event_id
    from resolved.goal_set
    qualify row_number() over (partition by goal_id order by occurred_at desc, event_id desc) = 1
),
candidate as materialized (
    select * from goal_event
    union all by name
    select goal.*, 'playbook' as set_by, in_force_from as set_at, null as event_id
    from playbook.goal as goal
    cross join playbook.version
    where goal_id not in (select goal_id from goal_event)
),
ranked as (
    select *,
        first_value(goal_id) over line as goal_id_in_force
    from candidate
    window line as (
        partition by period, metric, owner_team, scope
        order by set_by = 'event' desc, set_at desc nulls last, event_id desc nulls last, goal_id
    )
),
in_force as (
    select ranked.* exclude (parent_goal_id),
        coalesce(parent.goal_id_in_force, ranked.parent_goal_id) as parent_goal_id,
        period_from(ranked.period, fiscal_year_begins) as starts_on,
        (period_until(ranked.period, fiscal_year_begins) - interval 1 day)::date as ends_on
    from ranked
    left join ranked as parent on parent.goal_id = ranked.parent_goal_id
    cross join playbook.version
    where ranked.goal_id = ranked.goal_id_in_force
)
select
    goal.goal_id,
    goal.parent_goal_id,
    goal.period,
    goal.starts_on,
    goal.ends_on,
    goal.metric,
    goal.owner_team,
    goal.scope,
    goal.amount,
    goal.currency,
    cents(converted(goal.amount, rate)) as goal_amount,
    rate is not null as is_priced,
    whole.goal_id is not null
        or goal.scope = 'team'
        and bool_or(goal.scope = 'company') over (partition by goal.period, goal.metric) as is_part,
    goal.set_by,
    goal.set_at
from in_force as goal
left join in_force as whole
    on whole.goal_id = goal.parent_goal_id and whole.goal_id <> goal.goal_id
    and whole.period = goal.period and whole.metric = goal.metric
left join playbook.rate as exchange on is_rate_of(exchange, goal.currency, goal.starts_on)
