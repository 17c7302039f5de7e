-- view:   handoff_contact_event
-- grain:  one row per contact or deal and handoff it counts for
-- key:    handoff_id, kind, contact_id
-- stored: handoff_id
-- reads:  funnel.handoff_offer, funnel.deal, resolved.contact_attempted, resolved.buyer_reached,
--         warehouse.record_identity
-- says:   to which handoff each attempt, each contact and each deal belongs
-- means:  Contact counts for the handoff it names. One that names only the lead counts for the handoff that was being
--         worked at that moment: one that had not been given back before one that had; one of the record that it
--         names, as merged by then, before one of a record that was merged with it later; a team's latest offer of the
--         lead before an earlier one; an accepted one before an unanswered one; then the latest offer. A deal counts
--         in the same way by its opening, and also for every earlier handoff of its lead that ended accepted.
-- columns:
--   handoff_id   the handoff
--   kind         human or automated attempt, reached (two-way contact), deal, or lost_deal
--   contact_id   the event, or the deal
--   occurred_at  when it happened; of a deal, when it was opened
with
offer as materialized (
    select handoff_id, lead_id, named_lead_id, to_team, offered_at, answers, last_answer
    from funnel.handoff_offer
),
contact as materialized (
    select case when is_automated then 'automated' else 'human' end as kind,
        event_id as contact_id, lead_id, named_lead_id, handoff_id, occurred_at
    from resolved.contact_attempted
    union all by name
    select 'reached' as kind, event_id as contact_id, lead_id, named_lead_id, handoff_id, occurred_at
    from resolved.buyer_reached
    union all by name
    select case status when 'lost' then 'lost_deal' else 'deal' end as kind,
        opportunity_id as contact_id, lead_id, handoff_id, opened_at as occurred_at
    from funnel.deal
    where opened_at is not null
),
-- Every handoff that contact which names none may belong to, with how it stood then.
possible as (
    select
        offer.handoff_id, offered_at, to_team, contact.kind, contact_id, occurred_at,
        coalesce(list_filter(answers, lambda given: given.place.occurred_at <= contact.occurred_at)[-1].answer,
            'none') as answer_then,
        coalesce(coalesce(contact_then.surviving_id, contact.named_lead_id)
            = coalesce(offer_then.surviving_id, offer.named_lead_id), false) as is_same_record
    from contact
    join offer on offer.lead_id = contact.lead_id and offered_at <= occurred_at
    left join warehouse.record_identity as contact_then
        on contact_then.kind = 'lead' and contact_then.record_id = contact.named_lead_id
        and contact_then.from_at <= occurred_at and contact_then.until_at > occurred_at
    left join warehouse.record_identity as offer_then
        on offer_then.kind = 'lead' and offer_then.record_id = offer.named_lead_id
        and offer_then.from_at <= occurred_at and offer_then.until_at > occurred_at
    where contact.handoff_id is null
),
placed as (
    select *,
        row_number() over (
            partition by kind, contact_id, answer_then = 'returned', is_same_record, to_team
            order by offered_at desc, handoff_id desc) = 1 as is_latest_of_team
    from possible
),
worked as (
    select handoff_id, kind, contact_id, occurred_at
    from placed
    qualify row_number() over (
        partition by kind, contact_id
        order by answer_then = 'returned', is_same_record desc, is_latest_of_team desc, answer_then = 'none',
            offered_at desc, handoff_id desc) = 1
)
select handoff_id, kind, contact_id, occurred_at
from worked
union
select handoff_id, kind, contact_id, occurred_at
from contact
where handoff_id is not null
union
select offer.handoff_id, kind, contact_id, occurred_at
from contact
join offer on offer.lead_id = contact.lead_id and offered_at <= occurred_at and last_answer.answer = 'accepted'
where kind in ('deal', 'lost_deal')
