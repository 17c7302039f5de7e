-- evidence: buying_group_account
-- says: how its people were found, and the beginning and end of its deals
select account_id, event_type, event_id
from facts.event
where occurred_at <= $as_of and event_type = 'BuyingGroupMemberIdentified'
union all
select opened.account_id, event_type, event_id
from facts.event as told
join (
    select distinct opportunity_id, account_id from facts.opportunity_opened
) as opened using (opportunity_id)
where occurred_at <= $as_of and event_type in ('OpportunityOpened', 'OpportunityWon', 'OpportunityLost')
