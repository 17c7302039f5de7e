-- view:   feedback_loop_slice
-- grain:  one row per slice, window, pair of teams and reason of return of a lead of the slice
-- key:    dimension, value, window_unit, window_start, from_team, to_team, reason_code
-- reads:  funnel.handoff_history, funnel.handoff_sla, funnel.deal, funnel.lead_slice, playbook.dimension,
--         playbook.window_unit, playbook.version
-- says:   why leads are given back and what came of it, by source, campaign, segment, owner and so on, in windows of any
--         unit
-- means:  Counted as in feedback_loop, which is the slice all over all windows. A handoff belongs to the lead that was
--         offered, and to the window of its latest return.
-- columns:
--   dimension             what it is sliced by: a column of lead_dimension, or all
--   value                 the value of that dimension; all for all
--   window_unit           day, week, month, quarter, fiscal_quarter, year or all
--   window_start          first day of the window; null for all
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
        handoff.lead_id, returned_at, handoff.from_team, handoff.to_team, return_reason as reason_code, is_recycled,
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
    dimension,
    dimension_value(dimension, value) as value,
    window_unit,
    window_of(returned_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
        as window_start,
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
    playbook_version
from returned
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
cross join (select playbook_version from playbook.version)
group by all
