-- view:   lead_verdict
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- stored: lead_id
-- reads:  funnel.lead, funnel.condition_period, playbook.version
-- says:   whether a lead is qualified, since when, and by which version of the playbook
-- means:  See qualification, which shows these verdicts with what decided each criterion.
-- columns:
--   lead_id            the lead; of merged ones the one that survives
--   account_id         its company, where known
--   segment            the sales region it was captured in, else unknown
--   is_qualified       true once all required criteria held together
--   qualified_at       the first moment they did; null until then
--   playbook_version   the playbook in force at that moment; of the others, the one in force at as-of
with
period as materialized (
    select lead_id, playbook_version, holds_from, holds_until, conditions from funnel.condition_period
),
-- A condition begins to hold, or ceases to.
turn as (
    select lead_id, playbook_version, conditions, holds_from as turned_at, 1 as change from period
    union all
    select lead_id, playbook_version, conditions, holds_until as turned_at, -1 as change
    from period
),
-- Changes of one instant count together.
holding as (
    select lead_id, playbook_version, conditions, turned_at,
        sum(change) over (partition by lead_id, playbook_version order by turned_at) as conditions_held
    from turn
),
qualified as (
    select lead_id, min(turned_at) as qualified_at, arg_min(playbook_version, turned_at) as playbook_version
    from holding
    where conditions_held = conditions
    group by lead_id
)
select
    lead.lead_id,
    lead.account_id,
    lead.segment,
    qualified_at is not null as is_qualified,
    qualified_at,
    coalesce(qualified.playbook_version, version.playbook_version) as playbook_version
from funnel.lead as lead
cross join playbook.version as version
left join qualified using (lead_id)
