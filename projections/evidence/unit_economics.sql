-- evidence: unit_economics
-- says: the first win of each new customer of the quarter, and the campaign costs of its days
select period, event_type, event_id
from funnel.win as win
join evidence.win using (opportunity_id)
where is_first and not exists (
    from resolved.customer_onboarded as onboarded
    where onboarded.account_id = win.customer_id and onboarded.occurred_at < win.won_at
        and onboarded.opportunity_id is distinct from win.opportunity_id
)
union all
select quarter_of(booked_on), 'CampaignCostBooked', event_id
from resolved.campaign_cost_booked
