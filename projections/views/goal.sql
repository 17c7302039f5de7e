-- view:   goal
-- grain:  one row per goal that stands
-- key:    goal_id
-- reads:  facts.goal_set, playbook.goal, playbook.rate, playbook.version
-- says:   what is to be reached: every goal in money, for a year or a quarter, with the team that owns it
-- means:  A line of the plan is a period, a metric and an owner, and it has one goal: the one set last by an
--         event, or else the playbook's. A goal that names a replaced goal as its parent serves the one that
--         took its place. A period that is neither a year nor a quarter has no days. The goal's own currency
--         is turned into the playbook's at the playbook's rate, and without a rate it stays unpriced.
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
told as (
    select goal_id, parent_goal_id, period, metric, owner_team, amount, currency,
        'event' as set_by, occurred_at as set_at, event_id
    from facts.goal_set
    where occurred_at <= $as_of
    qualify row_number() over (partition by goal_id order by occurred_at desc, event_id desc) = 1
),
candidate as (
    select * from told
    union all by name
    select goal.*, 'playbook' as set_by, in_force_from as set_at, null as event_id
    from playbook.goal as goal cross join playbook.version
    where goal_id not in (select goal_id from told)
),
ranked as (
    select *,
        first_value(goal_id) over line as standing_goal_id
    from candidate
    window line as (
        partition by period, metric, owner_team
        order by set_by = 'event' desc, set_at desc nulls last, event_id desc nulls last, goal_id
    )
)
select
    ranked.goal_id,
    coalesce(parent.standing_goal_id, ranked.parent_goal_id) as parent_goal_id,
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
where ranked.goal_id = ranked.standing_goal_id
