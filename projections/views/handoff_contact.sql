-- view:   handoff_contact
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  state.handoff, state.opportunity, funnel.lead_identity, facts.contact_attempted, facts.buyer_reached
-- says:   what the receiving side did about the lead after each handoff; contact that names no handoff counts
--         for the lead's latest handoff offered before it; a deal counts for every handoff that led to it
-- columns:
--   handoff_id          the handoff
--   human_attempt_ats   when humans tried to reach the buyer, in order (list of instants)
--   automated_attempts  how often a sequence or bot tried; never an answer
--   reached_at          first two-way contact
--   opportunities       deals that came of the handoff
--   opportunities_lost  how many of those are lost
with
offered as (
    select handoff_id, coalesce(surviving_lead_id, offer.lead_id) as lead_id, offer.occurred_at as offered_at,
        coalesce(last_answer.answer = 'accepted', false) as is_accepted
    from state.handoff
    left join funnel.lead_identity as identity on identity.lead_id = offer.lead_id
    where offer is not null
),
-- What names no handoff counts for the lead's latest offer: from it to the next. A lead may be offered twice in one
-- instant: the later handoff id stands for it.
latest_offer as (
    select handoff_id, lead_id, offered_at,
        coalesce(lead(offered_at) over (partition by lead_id order by offered_at), 'infinity') as until_at
    from (select lead_id, offered_at, max(handoff_id) as handoff_id from offered group by lead_id, offered_at)
),
told as (
    select event_id, case when is_automated then 'automated' else 'human' end as kind,
        lead_id, handoff_id, occurred_at, false as is_lost
    from facts.contact_attempted
    union all by name
    select event_id, 'reached' as kind, lead_id, handoff_id, occurred_at, false as is_lost
    from facts.buyer_reached
    union all by name
    select opened.event_id as event_id, 'opportunity' as kind, opened.lead_id as lead_id,
        opened.handoff_id as handoff_id, opened.occurred_at as occurred_at,
        coalesce(outcome.status = 'lost', false) as is_lost
    from state.opportunity
    where opened is not null
),
-- A lead that was merged is its survivor, and so are its handoffs.
contact as (
    select told.event_id, kind, coalesce(surviving_lead_id, told.lead_id) as lead_id, handoff_id, occurred_at,
        is_lost
    from told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
),
-- A deal may come here twice: by the handoff it names or follows, and as the success of one that was accepted.
linked as (
    select handoff_id, event_id, kind, occurred_at, is_lost
    from contact
    where handoff_id is not null
    union all
    select latest_offer.handoff_id, event_id, kind, occurred_at, is_lost
    from contact
    join latest_offer
        on latest_offer.lead_id = contact.lead_id
        and contact.occurred_at >= offered_at and contact.occurred_at < until_at
    where contact.handoff_id is null
    union all
    -- A deal is also the success of every earlier handoff of its lead that ended accepted.
    select offered.handoff_id, event_id, kind, occurred_at, is_lost
    from contact
    join offered
        on offered.lead_id = contact.lead_id and offered.offered_at <= occurred_at and offered.is_accepted
    where kind = 'opportunity'
)
select
    offered.handoff_id,
    list(linked.occurred_at order by linked.occurred_at) filter (where linked.kind = 'human')
        as human_attempt_ats,
    count(*) filter (where linked.kind = 'automated') as automated_attempts,
    min(linked.occurred_at) filter (where linked.kind = 'reached') as reached_at,
    count(distinct linked.event_id) filter (where linked.kind = 'opportunity') as opportunities,
    count(distinct linked.event_id) filter (where linked.kind = 'opportunity' and linked.is_lost)
        as opportunities_lost
from offered
left join linked on offered.handoff_id = linked.handoff_id
group by offered.handoff_id
