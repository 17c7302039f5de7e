-- view:   handoff_live_period
-- grain:  one row per lead and handoff of it that was offered or answered
-- key:    lead_id, handoff_id
-- stored: lead_id
-- reads:  funnel.handoff_offer, resolved.handoff_accepted, resolved.handoff_returned, funnel.deal, playbook.team
-- says:   from when to when somebody has each lead by a handoff, or has yet to answer for it
-- means:  It ends with the return that no acceptance follows; when the team that accepted offers the lead on; when a
--         deal of the lead is won or lost; and, without an answer, with the next offer of the same record. An offer
--         of a merged record that nobody has answered is moot. So is, for the funnel, one between teams of Sales
--         after a win: it hands over a customer.
-- columns:
--   lead_id     the lead; of merged ones the one that survives
--   handoff_id  the handoff
--   from_at     when it was offered, or accepted without an offer
--   held_at     when it was first accepted, else offered
--   until_at    when it ended; null while it is live
with
reported as (
    select lead_id, handoff_id, named_lead_id as record_id, from_team, to_team, offered_at
    from funnel.handoff_offer
    union all by name
    select lead_id, handoff_id, occurred_at as accepted_at from resolved.handoff_accepted
    union all by name
    select lead_id, handoff_id, occurred_at as returned_at from resolved.handoff_returned
),
handoff as materialized (
    select
        lead_id, handoff_id,
        any_value(record_id) as record_id,
        any_value(from_team) as from_team,
        any_value(to_team) as to_team,
        min(offered_at) as offered_at,
        min(accepted_at) as accepted_at,
        max(accepted_at) as last_accepted_at,
        list(returned_at) filter (where returned_at is not null) as return_ats,
        coalesce(max(accepted_at), max(returned_at)) is null as is_unanswered
    from reported
    group by lead_id, handoff_id
),
next_offer as (
    select handoff.lead_id, handoff.handoff_id, min(later.offered_at) as offered_at
    from handoff
    join handoff as later on later.lead_id = handoff.lead_id and later.handoff_id <> handoff.handoff_id
        and case
            when handoff.is_unanswered then later.record_id = handoff.record_id and (later.offered_at, later.handoff_id)
                > (handoff.offered_at, handoff.handoff_id)
            else later.from_team = handoff.to_team and later.offered_at >= handoff.accepted_at
        end
    group by all
),
deal_end as (
    select handoff.lead_id, handoff.handoff_id,
        min(closed_at) filter (where closed_at >= coalesce(accepted_at, offered_at)) as closed_at,
        max(closed_at) filter (where status = 'won' and closed_at <= offered_at) as won_before_at
    from handoff
    join funnel.deal as deal on deal.lead_id = handoff.lead_id and status <> 'credit'
    group by all
),
sender as (
    select lead_id, handoff_id, coalesce(side = 'sales', false) as is_sales,
        max(offered_at) filter (where not is_sales) over (partition by lead_id order by offered_at)
            as last_marketing_offer_at
    from handoff
    left join playbook.team on team = from_team
)
select
    lead_id,
    handoff_id,
    least(handoff.offered_at, accepted_at) as from_at,
    coalesce(accepted_at, handoff.offered_at) as held_at,
    case
        when is_unanswered and record_id <> lead_id then from_at
        when is_sales and won_before_at > coalesce(last_marketing_offer_at, '-infinity'::timestamptz) then from_at
        else least(
            list_min(list_filter(return_ats,
                lambda returned_at: returned_at >= coalesce(last_accepted_at, '-infinity'::timestamptz))),
            next_offer.offered_at,
            closed_at)
    end as until_at
from handoff
left join next_offer using (lead_id, handoff_id)
left join deal_end using (lead_id, handoff_id)
left join sender using (lead_id, handoff_id)
where lead_id is not null
