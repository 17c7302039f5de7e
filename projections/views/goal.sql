-- view:   goal
-- grain:  one row per goal in force
-- key:    goal_id
-- reads:  resolved.goal_set, playbook.goal, playbook.rate, playbook.version
-- says:   what is to be reached: every goal in money, for a year or a quarter, with the team that owns it
-- means:  A line of the plan is a period, a metric and an owner, and it has one goal: the one that was last set by an
--         event, or else the playbook's. A goal whose parent was replaced serves the replacement. A period that
--         is neither a year nor a quarter has no days. The goal's currency is converted into the playbook's at the
--         playbook's rate; without a rate the goal is unpriced.
-- columns:
--   goal_id         the goal
--   parent_goal_id  the goal it serves; null at the top
--   period          a year or a quarter: 2026, 2026-Q1
--   starts_on       first day
--   ends_on         last day
--   metric          revenue, pipeline or retained_revenue
--   owner_team      the team that owns the line
--   amount          the goal as it was set
--   currency        currency it was set in
--   goal_amount     the goal in the playbook's currency; null without a rate
--   is_priced       true when the playbook has a rate for it
--   set_by          event or playbook
--   set_at          when it was set; for the playbook's, since when that playbook is in force
with
goal_event as (
    select goal_id, parent_goal_id, period, metric, owner_team, amount, currency,
        'event' as set_by, occurred_at as set_at, event_id
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
        partition by period, metric, owner_team
        order by set_by = 'event' desc, set_at desc nulls last, event_id desc nulls last, goal_id
    )
)
select
    ranked.goal_id,
    coalesce(parent.goal_id_in_force, ranked.parent_goal_id) as parent_goal_id,
    ranked.period,
    period_from(ranked.period) as starts_on,
    (period_until(ranked.period) - interval 1 day)::date as ends_on,
    ranked.metric,
    ranked.owner_team,
    ranked.amount,
    ranked.currency,
    converted(ranked.amount, rate) as goal_amount,
    rate is not null as is_priced,
    ranked.set_by,
    ranked.set_at
from ranked
left join ranked as parent on parent.goal_id = ranked.parent_goal_id
left join playbook.rate as rate on rate.currency = ranked.currency
where ranked.goal_id = ranked.goal_id_in_force
