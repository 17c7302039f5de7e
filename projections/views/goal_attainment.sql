-- view:   goal_attainment
-- grain:  one row per goal
-- key:    period, owner_team, metric
-- reads:  funnel.goal, funnel.opportunity_amount, facts.customer_onboarded, facts.subscription_renewed,
--         facts.subscription_expanded, facts.subscription_contracted, facts.subscription_churned,
--         playbook.rate, playbook.version
-- says:   how much of each goal is reached, and whether that is enough for the days that are gone
-- means:  revenue is what was booked by deals whose last outcome is won, closed in the period. pipeline is
--         what the deals opened in the period are worth as known now, whatever became of them.
--         retained_revenue is what is kept of the yearly revenue that companies had when the period began: a
--         company keeps no more than it began with, so what grew or came new makes up for nothing (the
--         numerator of the trade's gross retention). Days are cut in the playbook's zone. Expected by now is
--         the goal's share of the full days gone; of retained revenue all is expected from the first day on,
--         for it is not gathered but kept. A metric nobody knows, and a period without days, has no actual.
-- columns:
--   goal_id           the goal
--   period            a year or a quarter
--   owner_team        the team that owns the line
--   metric            revenue, pipeline or retained_revenue
--   goal_amount       the goal, in the playbook's currency
--   actual            what is reached of it by as-of
--   n                 deals, or companies, in that sum
--   unpriced          deals, or companies, with an amount that is missing or has no rate: not, or not wholly, in it
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
    select 'onboarded' as kind, account_id, subscription_id, occurred_at, event_id, amount, currency
    from facts.customer_onboarded where occurred_at <= $as_of
    union all by name
    select 'renewed' as kind, account_id, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_renewed where occurred_at <= $as_of
    union all by name
    select 'expanded' as kind, account_id, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_expanded where occurred_at <= $as_of
    union all by name
    select 'contracted' as kind, account_id, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_contracted where occurred_at <= $as_of
    union all by name
    select 'churned' as kind, account_id, subscription_id, occurred_at, event_id, amount, currency
    from facts.subscription_churned where occurred_at <= $as_of
),
first_named as (
    select account_id, min({'at': occurred_at, 'event_id': event_id, 'kind': kind, 'id': subscription_id}).id as id
    from told
    where subscription_id is not null
    group by account_id
),
priced as (
    select account_id, coalesce(subscription_id, first_named.id, '') as subscription_id, occurred_at, event_id, kind,
        case kind when 'churned' then 0 when 'contracted' then -converted(amount, rate)
            else converted(amount, rate)
        end as change
    from told
    left join first_named using (account_id)
    left join playbook.rate as rate on rate.currency = told.currency
),
-- Onboarding, renewal and churn say what the revenue is from then on; what lies between adds and subtracts.
term as (
    select *,
        count(*) filter (where kind in ('onboarded', 'renewed', 'churned')) over (
            partition by account_id, subscription_id order by occurred_at, event_id, kind rows unbounded preceding
        ) as term
    from priced
    where change is not null
),
summed_up as (
    select *, sum(change) over (
        partition by account_id, subscription_id, term order by occurred_at, event_id, kind rows unbounded preceding
    ) as total
    from term
),
-- Never below nothing: what a sum fell below it so far is given back.
yearly as (
    select account_id, subscription_id, occurred_at,
        lead(occurred_at) over (
            partition by account_id, subscription_id order by occurred_at, event_id, kind
        ) as until_at,
        total - least(0, min(total) over (
            partition by account_id, subscription_id, term order by occurred_at, event_id, kind
            rows unbounded preceding)) as amount
    from summed_up
),
opening as (
    select goal_id, account_id, sum(yearly.amount) as amount
    from asked
    join yearly
        on yearly.occurred_at < asked.from_at
        and (yearly.until_at is null or yearly.until_at >= asked.from_at)
    where metric = 'retained_revenue' and asked.from_at <= $as_of
    group by all
    having sum(yearly.amount) > 0
),
closing as (
    select goal_id, account_id, sum(yearly.amount) as amount
    from asked
    join yearly
        on yearly.occurred_at < asked.until_at
        and (yearly.until_at is null or yearly.until_at >= asked.until_at)
    where metric = 'retained_revenue'
    group by all
),
retained as (
    select goal_id, least(opening.amount, closing.amount) as kept
    from opening
    join closing using (goal_id, account_id)
    union all
    -- An amount nobody can price is counted with its company, once.
    select distinct on (goal_id, account_id) goal_id, null as kept
    from asked
    join priced on change is null and occurred_at < asked.until_at
    where metric = 'retained_revenue' and asked.from_at <= $as_of
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
        case when metric = 'retained_revenue' and from_at <= $as_of then goal_amount
             else portion(goal_amount, days_gone, days)
        end as expected_by_now
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
