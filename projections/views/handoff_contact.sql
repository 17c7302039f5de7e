-- view:   handoff_contact
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.lead_offer_period, resolved.handoff, resolved.contact_attempted, resolved.buyer_reached, funnel.deal
-- says:   what the receiving side did about the lead after each handoff
-- means:  Contact counts for the handoff it names, else for the lead's latest handoff offered by then (see
--         lead_offer_period). So does a deal, by its opening; it also counts for every earlier handoff of its lead
--         that ended accepted.
-- columns:
--   handoff_id          the handoff
--   human_attempt_ats   when humans tried to reach the buyer, in order (list of instants)
--   automated_attempts  how often a sequence or bot tried; never an answer
--   reached_at          first two-way contact
--   opportunities       deals that came of the handoff
--   opportunities_lost  how many of those are lost
with
offer_period as materialized (
    select handoff_id, lead_id, offered_at, coalesce(until_at, 'infinity') as until_at
    from funnel.lead_offer_period
),
contact as materialized (
    select case when is_automated then 'automated' else 'human' end as kind,
        event_id as contact_id, lead_id, handoff_id, occurred_at
    from resolved.contact_attempted
    union all by name
    select 'reached' as kind, event_id as contact_id, lead_id, handoff_id, occurred_at
    from resolved.buyer_reached
    union all by name
    select case status when 'lost' then 'lost_deal' else 'deal' end as kind,
        opportunity_id as contact_id, lead_id, handoff_id, opened_at as occurred_at
    from funnel.deal
    where opened_at is not null
),
contact_of_handoff as (
    select handoff_id, kind, contact_id, occurred_at
    from contact
    where handoff_id is not null
    union all
    select offer_period.handoff_id, kind, contact_id, occurred_at
    from contact
    join offer_period
        on offer_period.lead_id = contact.lead_id and occurred_at >= offered_at and occurred_at < until_at
    where contact.handoff_id is null
    union all
    select accepted.handoff_id, kind, contact_id, occurred_at
    from contact
    join resolved.handoff as accepted
        on accepted.lead_id = contact.lead_id and offer.occurred_at <= occurred_at
        and last_answer.answer = 'accepted'
    where kind in ('deal', 'lost_deal')
)
select
    offer_period.handoff_id,
    list(occurred_at order by occurred_at) filter (where kind = 'human') as human_attempt_ats,
    count(*) filter (where kind = 'automated') as automated_attempts,
    min(occurred_at) filter (where kind = 'reached') as reached_at,
    count(distinct contact_id) filter (where kind in ('deal', 'lost_deal')) as opportunities,
    count(distinct contact_id) filter (where kind = 'lost_deal') as opportunities_lost
from offer_period
left join contact_of_handoff using (handoff_id)
group by offer_period.handoff_id
