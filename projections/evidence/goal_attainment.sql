-- evidence: goal_attainment
-- says: revenue: the wins closed in the period; pipeline: the openings, revisions and wins of the deals opened in
--         it; retained revenue: the events until its end of the companies with yearly revenue when it began
with
goal as materialized (
    select period, owner_team, metric, scope,
        day_begins(starts_on, zone) as begins_at, day_begins((ends_on + 1)::date, zone) as ends_at
    from funnel.goal
    cross join playbook.version
)
select period, owner_team, metric, scope, event_type, event_id
from goal
join (
    select won_at, event_type, event_id from funnel.win join evidence.win using (opportunity_id)
) as win on won_at >= begins_at and won_at < ends_at
where metric = 'revenue'
union all
select period, owner_team, metric, scope, event_type, event_id
from goal
join funnel.deal on opened_at >= begins_at and opened_at < ends_at
join funnel.deal_event using (opportunity_id)
where metric = 'pipeline' and event_type in ('OpportunityOpened', 'OpportunityRevised', 'OpportunityWon')
union all
select period, owner_team, metric, scope, event_type, event_id
from goal
join funnel.account_retention using (period)
join funnel.subscription_event using (account_id)
where metric = 'retained_revenue' and begins_at <= $as_of and (opening_arr > 0 or is_unpriced)
    and occurred_at < ends_at
