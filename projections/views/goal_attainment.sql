-- view:   goal_attainment
-- grain:  one row per goal
-- key:    period, owner_team, metric
-- reads:  funnel.goal, funnel.opportunity_amount, facts.customer_onboarded, facts.subscription_renewed,
--         facts.subscription_expanded, facts.subscription_contracted, facts.subscription_churned,
--         playbook.rate, playbook.version
-- says:   how much of each goal is reached, and whether that is enough for the days that are gone
-- means:  revenue is what was booked by deals whose last outcome is won, closed in the period. pipeline is what
--         the deals opened in the period are worth as known now, whatever became of them. retained_revenue is
--         what is kept of the yearly revenue that subscriptions had when the period began: a subscription
--         keeps no more than it began with, so what grew, came new or came back after it makes up for nothing
--         (the trade's gross retention, in money). Days are cut in the playbook's zone. Expected by now is
--         the goal's share of the full days gone; of retained revenue all is expected from the first day on,
--         for it is not gathered but kept. A metric nobody knows, and a period without days, has no actual.
-- columns:
--   goal_id           the goal
--   period            a year or a quarter
--   owner_team        the team that owns the line
--   metric            revenue, pipeline or retained_revenue
--   goal_amount       the goal, in the playbook's currency
--   actual            what is reached of it by as-of
--   n                 deals or subscriptions in that sum
--   unpriced          deals or subscriptions that belong in it and have no amount, or one without a rate
--   attained_share    actual / goal
--   elapsed_share     full days of the period gone at as-of / days of the period
--   expected_by_now   the part of the goal that should be reached by now
--   pace              actual / expected by now
--   gap               goal - actual
--   currency          the playbook's currency
--   playbook_version  the playbook whose goals, rates and zone these are
with
asked as (
    select goal.*, version.zone, version.currency as goals_currency, version.playbook_version,
        day_begins(starts_on, zone) as from_at,
        day_begins((ends_on + 1)::date, zone) as until_at,
        ends_on - starts_on + 1 as days,
        greatest(0, least(days, ($as_of at time zone zone)::date - starts_on)) as days_gone
    from funnel.goal as goal
    cross join playbook.version as version
),
told as (
    select 'onboarded' as kind, coalesce(subscription_id, account_id) as subscription_id, occurred_at, event_id,
        amount, currency
    from facts.customer_onboarded where occurred_at <= $as_of
    union all by name
    select 'renewed' as kind, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_renewed where occurred_at <= $as_of
    union all by name
    select 'expanded' as kind, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_expanded where occurred_at <= $as_of
    union all by name
    select 'contracted' as kind, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_contracted where occurred_at <= $as_of
    union all by name
    select 'churned' as kind, subscription_id, occurred_at, event_id, 0 as amount, goals.currency
    from facts.subscription_churned cross join playbook.version as goals where occurred_at <= $as_of
),
-- Onboarding, renewal and churn say what the revenue is from then on; what lies between adds and subtracts.
term as (
    select subscription_id, occurred_at, event_id, kind, converted(amount, rate) as amount,
        count(*) filter (where kind in ('onboarded', 'renewed', 'churned')) over story as term
    from told
    left join playbook.rate as rate on rate.currency = told.currency
    window story as (
        partition by subscription_id order by occurred_at, event_id, kind rows unbounded preceding
    )
),
running as (
    select subscription_id, occurred_at,
        lead(occurred_at) over (partition by subscription_id order by occurred_at, event_id, kind) as until_at,
        greatest(0, sum(case when kind = 'contracted' then -amount else amount end) over story) as yearly,
        count(*) filter (where amount is null) over story > 0 as is_unpriced
    from term
    window story as (
        partition by subscription_id, term order by occurred_at, event_id, kind rows unbounded preceding
    )
),
retained as (
    select goal_id,
        case when not opening.is_unpriced and not closing.is_unpriced
             then least(opening.yearly, closing.yearly)
        end as kept
    from asked
    join running as opening
        on opening.occurred_at < asked.from_at
        and (opening.until_at is null or opening.until_at >= asked.from_at)
    join running as closing
        on closing.subscription_id = opening.subscription_id
        and closing.occurred_at < asked.until_at
        and (closing.until_at is null or closing.until_at >= asked.until_at)
    where metric = 'retained_revenue' and asked.from_at <= $as_of
        and (opening.yearly > 0 or opening.is_unpriced)
),
-- What counts towards a goal, one row each; an amount of null is one that cannot be counted.
counted as (
    select goal_id, booked as amount
    from asked
    join funnel.opportunity_amount as deal on closed_at >= from_at and closed_at < until_at
    where metric = 'revenue' and status = 'won'
    union all
    select goal_id, deal.amount
    from asked
    join funnel.opportunity_amount as deal on opened_at >= from_at and opened_at < until_at
    where metric = 'pipeline'
    union all
    select goal_id, kept
    from retained
),
summed as (
    select goal_id, sum(amount) as amount, count(amount) as n, count(*) - count(amount) as unpriced
    from counted
    group by goal_id
),
measured as (
    select asked.*,
        case when metric in ('revenue', 'pipeline', 'retained_revenue') and starts_on is not null
             then coalesce(summed.amount, 0)::decimal(38,2)
        end as actual,
        coalesce(summed.n, 0) as n,
        coalesce(summed.unpriced, 0) as unpriced,
        case when metric = 'retained_revenue' then goal_amount else portion(goal_amount, days_gone, days) end
            as expected_by_now
    from asked
    left join summed using (goal_id)
)
select
    goal_id,
    period,
    owner_team,
    metric,
    goal_amount,
    actual,
    n,
    unpriced,
    actual::double / nullif(goal_amount, 0)::double as attained_share,
    days_gone / days as elapsed_share,
    expected_by_now,
    actual::double / nullif(expected_by_now, 0)::double as pace,
    goal_amount - actual as gap,
    goals_currency as currency,
    playbook_version
from measured
