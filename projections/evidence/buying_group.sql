-- evidence: buying_group
-- says: how the people in the role were found, and their own signals within the playbook's time
with
member as (
    select account_id, role, contact_id, event_id
    from resolved.buying_group_member_identified
),
signal as (
    select 'TouchRecorded' as event_type, event_id, contact_id, occurred_at
    from resolved.touch_recorded
    where is_inbound and not is_automated
    union all
    select 'BuyerReached', event_id, contact_id, occurred_at from resolved.buyer_reached
)
select account_id, role, 'BuyingGroupMemberIdentified' as event_type, event_id
from member
where role in (select role from playbook.role)
union all
select account_id, role, event_type, signal.event_id
from member
join signal using (contact_id)
cross join playbook.version
where role in (select role from playbook.role) and epoch_us(signal.occurred_at) >= epoch_us($as_of) - engaged_within_us
