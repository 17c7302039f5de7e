-- evidence: buying_group_account
-- says: how its people were found, and how its deals were opened, won or lost
select account_id, 'BuyingGroupMemberIdentified' as event_type, event_id
from resolved.buying_group_member_identified
union all
select deal.account_id, event_type, event_id
from funnel.deal
join funnel.deal_event using (opportunity_id)
where opened_at is not null and event_type in ('OpportunityOpened', 'OpportunityWon', 'OpportunityLost')
