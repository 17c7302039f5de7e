-- view:   buying_group_account
-- grain:  one row per account with a member, a deal or a lead offered
-- key:    account_id
-- reads:  funnel.buying_group, resolved.buying_group_member_identified, funnel.deal, funnel.lead_verdict,
--         playbook.version
-- says:   how much of a company's buying group is known and engaged, and whether it was complete in time
-- means:  Completeness of a group = the mean of its required roles' completeness; roles that are not required
--         do not count. The clock starts with the company's first deal and runs by the wall clock for as long
--         as the playbook says; it is met when every required role was filled by then, even if that was
--         before the deal. The clock keeps running when the deal is closed: open_deals says where that still
--         matters. A group is qualified as soon as the first of its company's leads is, by the same criteria.
-- columns:
--   account_id             the company
--   members                people identified (distinct contacts), in any role
--   members_without_role   of those, people in no role that the playbook names
--   required_roles         roles the playbook requires: the cases behind the means
--   filled_roles           of those, roles with as many people as wanted
--   assigned_completeness  mean of the required roles' completeness by people identified; null when none is required
--   engaged_completeness   the same by people engaged
--   is_qualified           true once one of the company's leads is qualified
--   qualified_at           when the first of them was
--   qualified_leads        how many of them are
--   opened_at              when its first deal was opened; null without one
--   open_deals             deals that are neither won nor lost
--   due_at                 when the group should be complete
--   completed_at           when the last required role was filled; null while one is not
--   state                  no_deal; met (in time), due (complete, too late), past_due (incomplete and late),
--                          at_risk (most of the time is used), open, or nothing_required
--   is_met                 true when complete in time
--   is_due                 true when it was not complete in time, even if it is complete now
--   is_past_due            true when it is late and still incomplete
--   is_at_risk             true when it is incomplete, not yet late, and most of the time is used
--   playbook_version       the playbook it is judged by
with
role as materialized (
    select account_id, role, is_required, wanted, assigned, engaged, filled_at from funnel.buying_group
),
-- Fractions of different denominators are added over their least common multiple, so that nothing is rounded.
multiple as (
    select list_reduce(list(wanted), lambda a, b: lcm(a, b)) as common
    from (select distinct wanted::hugeint as wanted from role where is_required)
),
complete as (
    select
        account_id,
        count(*) filter (where is_required) as required_roles,
        count(filled_at) filter (where is_required) as filled_roles,
        sum(least(assigned, wanted) * (common // wanted)) filter (where is_required) as assigned_parts,
        sum(least(engaged, wanted) * (common // wanted)) filter (where is_required) as engaged_parts,
        any_value(common) as common,
        max(filled_at) filter (where is_required) as last_filled_at
    from role
    cross join multiple
    group by account_id
),
member as (
    select account_id, count(*) as members, count(*) filter (where not is_named) as members_without_role
    from (
        select account_id, contact_id,
            bool_or(identified.role in (select role.role from role)) as is_named
        from resolved.buying_group_member_identified as identified
        group by account_id, contact_id
    )
    group by account_id
),
deal as (
    select account_id, min(opened_at) as opened_at, count(*) filter (where status = 'open') as open_deals
    from funnel.deal
    where opened_at is not null
    group by account_id
),
verdict as (
    select account_id, count(*) as qualified_leads, min(qualified_at) as qualified_at
    from funnel.lead_verdict
    where is_qualified and account_id is not null
    group by account_id
),
timed as (
    select
        complete.*, opened_at, qualified_at,
        coalesce(qualified_leads, 0) as qualified_leads,
        coalesce(open_deals, 0) as open_deals,
        coalesce(members, 0) as members,
        coalesce(members_without_role, 0) as members_without_role,
        opened_at + to_microseconds(complete_within_us) as due_at,
        case when filled_roles = required_roles then last_filled_at end as completed_at,
        epoch_us($as_of) - epoch_us(opened_at) >= at_risk_share * complete_within_us as is_nearly_due,
        playbook_version
    from complete
    cross join playbook.version as version
    left join member using (account_id)
    left join deal using (account_id)
    left join verdict using (account_id)
),
judged as (
    select *,
        case
            when required_roles = 0 then 'nothing_required'
            when opened_at is null then 'no_deal'
            when completed_at <= due_at then 'met'
            when completed_at is not null then 'due'
            when $as_of > due_at then 'past_due'
            when is_nearly_due then 'at_risk'
            else 'open'
        end as state
    from timed
)
select
    account_id,
    members,
    members_without_role,
    required_roles,
    filled_roles,
    assigned_parts::double / (common * required_roles)::double as assigned_completeness,
    engaged_parts::double / (common * required_roles)::double as engaged_completeness,
    qualified_leads > 0 as is_qualified,
    qualified_at,
    qualified_leads,
    opened_at,
    open_deals,
    due_at,
    completed_at,
    state,
    state = 'met' as is_met,
    state in ('due', 'past_due') as is_due,
    state = 'past_due' as is_past_due,
    state = 'at_risk' as is_at_risk,
    playbook_version
from judged
