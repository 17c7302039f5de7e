-- view:   feedback_loop
-- grain:  one row per pair of teams and reason of return
-- key:    from_team, to_team, reason_code
-- reads:  funnel.handoff_history, funnel.handoff_sla, funnel.deal, playbook.version
-- says:   why leads are given back, what the offering team answered and how fast, and what came of it
-- means:  A handoff that was ever returned counts once, under its latest return, even if it was taken after
--         all. Acknowledged: the offering team said what it will do. In time, past due and the median follow
--         the clock of the SLA that the playbook sets for it (handoff_sla, acknowledge_return); a pair
--         without one has none. Converted after: a deal of the same lead was opened after the return.
-- columns:
--   from_team             the team that offered, and owes the answer
--   to_team               the team that returned
--   reason_code           why it was returned
--   returned              handoffs returned for it
--   acknowledged          of those, answered by the offering team
--   acknowledged_in_time  of those, within the SLA
--   past_due              returns whose SLA has expired, still unanswered
--   median_ack_minutes    median minutes of the SLA's clock from the return to the answer
--   nurture               answers that say: keep it warm
--   fix_data              answers that say: put the data right
--   reroute               answers that say: offer it elsewhere
--   disqualify            answers that say: not a lead
--   other_disposition     answers that say something else
--   offered_again         returned handoffs that a later offer takes up
--   converted_after       returned handoffs whose lead became a deal afterwards
--   n                     answers under an SLA with clocks that agree: the cases the median rests on
--   playbook_version      the playbook of the SLA
with
handoff as materialized (
    select handoff_id, lead_id, from_team, to_team, returned_at, return_reason, acknowledged_at, disposition,
        is_recycled
    from funnel.handoff_history
),
lead_deal as (
    select coalesce(deal.lead_id, handoff.lead_id) as lead_id, max(opened_at) as last_opened_at
    from funnel.deal as deal
    left join handoff using (handoff_id)
    group by all
),
returned as (
    select
        handoff.from_team, handoff.to_team, return_reason as reason_code, is_recycled,
        case when acknowledged_at <= $as_of then acknowledged_at end as acknowledged_at,
        case when acknowledged_at <= $as_of then disposition end as disposition,
        is_met, is_past_due,
        case when met_at <= $as_of and not is_clock_suspect then used_minutes end as ack_minutes,
        coalesce(last_opened_at > returned_at, false) as is_converted_after
    from handoff
    left join funnel.handoff_sla as owed on owed.handoff_id = handoff.handoff_id and sla = 'acknowledge_return'
    left join lead_deal using (lead_id)
    where returned_at <= $as_of
)
select
    from_team,
    to_team,
    reason_code,
    count(*) as returned,
    count(acknowledged_at) as acknowledged,
    count(*) filter (where acknowledged_at is not null and is_met) as acknowledged_in_time,
    count(*) filter (where is_past_due) as past_due,
    quantile_cont(ack_minutes, 0.5) as median_ack_minutes,
    count(*) filter (where disposition = 'nurture') as nurture,
    count(*) filter (where disposition = 'fix_data') as fix_data,
    count(*) filter (where disposition = 'reroute') as reroute,
    count(*) filter (where disposition = 'disqualify') as disqualify,
    count(*) filter (where disposition not in ('nurture', 'fix_data', 'reroute', 'disqualify'))
        as other_disposition,
    count(*) filter (where is_recycled) as offered_again,
    count(*) filter (where is_converted_after) as converted_after,
    count(ack_minutes) as n,
    any_value(version.playbook_version) as playbook_version
from returned
cross join playbook.version as version
group by from_team, to_team, reason_code
order by returned desc, from_team, to_team, reason_code
