-- evidence: campaign_outcome
-- says: its plan and costs, how its leads were captured, the beginning and win of their deals, and the
--         sessions with credit by the linear model
with
captured as (
    select coalesce(surviving_lead_id, told.lead_id) as lead_id, campaign_id, told.event_id
    from facts.lead_captured as told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    where campaign_id is not null and occurred_at <= $as_of
    qualify row_number() over (
        partition by coalesce(surviving_lead_id, told.lead_id) order by occurred_at, told.event_id) = 1
),
deal as (
    select opportunity_id, lead_id from funnel.opportunity where opened_at <= $as_of
    union
    select opportunity_id, lead_id from funnel.win
)
select campaign_id, 'CampaignPlanned' as event_type, event_id
from facts.campaign_planned where occurred_at <= $as_of
union all
select campaign_id, 'CampaignCostBooked', event_id from facts.campaign_cost_booked where occurred_at <= $as_of
union all
select campaign_id, 'LeadCaptured', event_id from captured
union all
select campaign_id, event_type, told.event_id
from captured
join deal using (lead_id)
join facts.event as told using (opportunity_id)
where told.event_type in ('OpportunityOpened', 'OpportunityWon') and told.occurred_at <= $as_of
union all
select campaign_id, event_type, session_id
from funnel.attribution
where model = 'linear' and campaign_id is not null
