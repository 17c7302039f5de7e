-- view:   pass_end
-- grain:  one row per deal of a lead or return of a lead that can end a pass
-- key:    lead_id, subject_id
-- reads:  funnel.deal, funnel.handoff_live_period, resolved.feedback_acknowledged, resolved.lead_captured
-- says:   what can end a lead's way through the funnel: each win, the loss of its last open deal, a disqualification
-- means:  A loss ends nothing while another deal of the lead is open. A disqualified return ends nothing while a deal
--         of the lead is open or another handoff of it is live (see handoff_live_period). See lead_pass.
-- columns:
--   lead_id     the lead; of merged ones the one that survives
--   subject_id  the deal, or the handoff that was returned
--   begun_at    when the deal or the handoff began: it can end only the pass in which that lies
--   ended_at    when it was won, lost or disqualified
--   outcome     won, lost or disqualified
with
deal as materialized (
    select lead_id, opportunity_id, status, closed_at, least(opened_at, closed_at) as begun_at
    from funnel.deal
    where lead_id is not null and status <> 'credit'
),
disqualified as (
    select lead_id, handoff_id, min(occurred_at) as ended_at
    from resolved.feedback_acknowledged
    where disposition = 'disqualify' and lead_id is not null
    group by lead_id, handoff_id
),
live as materialized (
    select lead_id, handoff_id, from_at, until_at from funnel.handoff_live_period
),
ended as (
    select lead_id, opportunity_id as subject_id, begun_at, closed_at as ended_at, status as outcome
    from deal
    where status <> 'open'
    union all
    select lead_id, handoff_id, coalesce(from_at, ended_at), ended_at, 'disqualified'
    from disqualified
    left join live using (lead_id, handoff_id)
    where not exists (
        from live
        where live.lead_id = disqualified.lead_id and from_at <= ended_at
            and coalesce(until_at > ended_at, true))
)
select
    lead_id,
    subject_id,
    begun_at,
    greatest(ended_at, captured_at) as ended_at,
    outcome
from ended
left join (
    select lead_id, min(occurred_at) as captured_at from resolved.lead_captured group by lead_id
) as captured using (lead_id)
where outcome = 'won' or not exists (
    from deal
    where deal.lead_id = ended.lead_id and deal.begun_at <= ended.ended_at
        and coalesce(deal.closed_at > ended.ended_at, true))
