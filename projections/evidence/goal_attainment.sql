-- evidence: goal_attainment
-- says: revenue: the wins closed in the period; pipeline: the openings and revisions (and wins) of the deals
--         opened in it; retained revenue: what was told until its end of the customers there were when it
--         began
with
asked as (
    select period, owner_team, metric,
        day_begins(starts_on, zone) as from_at, day_begins((ends_on + 1)::date, zone) as until_at
    from funnel.goal
    cross join playbook.version
),
customer as (
    select account_id, occurred_at, event_type, event_id
    from facts.event
    where occurred_at <= $as_of and event_type in ('CustomerOnboarded', 'SubscriptionRenewed',
        'SubscriptionExpanded', 'SubscriptionContracted', 'SubscriptionChurned')
)
select period, owner_team, metric, event_type, event_id
from asked
join funnel.opportunity_amount as deal on closed_at >= from_at and closed_at < until_at
join evidence.win using (opportunity_id)
where metric = 'revenue' and status = 'won'
union all
select period, owner_team, metric, event_type, event_id
from asked
join funnel.opportunity_amount as deal on opened_at >= from_at and opened_at < until_at
join facts.event as told using (opportunity_id)
where metric = 'pipeline' and told.occurred_at <= $as_of
    and event_type in ('OpportunityOpened', 'OpportunityRevised', 'OpportunityWon')
union all
select period, owner_team, metric, event_type, event_id
from asked
join customer on occurred_at < until_at
where metric = 'retained_revenue' and exists (
    select 1 from customer as before
    where before.account_id = customer.account_id and before.occurred_at < asked.from_at)
