-- view:   buying_group
-- grain:  one row per account and role of the playbook, for accounts with a member, a deal or a lead offered
-- key:    account_id, role
-- reads:  resolved.buying_group_member_identified, resolved.opportunity_opened, resolved.handoff_offered,
--         resolved.touch_recorded, resolved.buyer_reached, playbook.role, playbook.version
-- says:   how many of the people who decide at the buyer's company are known, role by role, and how many of them
--         are engaged
-- means:  Completeness of a role = min(1, people / wanted): 1 of 3 is 33.3 %, 4 of 3 is 100 %. Assigned
--         counts the people identified in the role; engaged counts those of them with an inbound touch of their
--         own that no machine made, or whom a team reached, within the playbook's time before as-of. A touch
--         that names no contact engages nobody. A person identified in two roles counts in both.
-- columns:
--   account_id             the company
--   role                   the role, by the playbook's name
--   is_required            true when the group is not complete without it
--   wanted                 how many people the playbook wants in it
--   assigned               people identified in it (distinct contacts)
--   engaged                of those, people with a human inbound signal in the playbook's time
--   assigned_completeness  min(1, assigned / wanted)
--   engaged_completeness   min(1, engaged / wanted)
--   filled_at              when as many people as wanted were identified; null until then
--   playbook_version       the playbook that names the roles
with
account as (
    select account_id from resolved.buying_group_member_identified
    union
    select account_id from resolved.opportunity_opened where account_id is not null
    union
    select account_id from resolved.handoff_offered where account_id is not null
),
member as (
    select account_id, role, contact_id, min(occurred_at) as identified_at
    from resolved.buying_group_member_identified
    group by account_id, role, contact_id
),
signal as (
    select contact_id, occurred_at from resolved.touch_recorded where is_inbound and not is_automated
    union all
    select contact_id, occurred_at from resolved.buyer_reached
),
engaged as (
    select distinct contact_id
    from signal
    cross join playbook.version as version
    where contact_id is not null and epoch_us(occurred_at) >= epoch_us($as_of) - engaged_within_us
),
counted as (
    select
        account.account_id, wanted.role, wanted.is_required, wanted.wanted,
        count(member.contact_id) as assigned,
        count(engaged.contact_id) as engaged,
        list_sort(list(identified_at) filter (where identified_at is not null)) as identified_ats
    from account
    cross join playbook.role as wanted
    left join member on member.account_id = account.account_id and member.role = wanted.role
    left join engaged on engaged.contact_id = member.contact_id
    group by account.account_id, wanted.role, wanted.is_required, wanted.wanted
)
select
    account_id,
    role,
    is_required,
    wanted,
    assigned,
    engaged,
    least(assigned, wanted) / wanted as assigned_completeness,
    least(engaged, wanted) / wanted as engaged_completeness,
    identified_ats[wanted] as filled_at,
    playbook_version
from counted
cross join playbook.version as version
