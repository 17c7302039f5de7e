-- view:   lead_progress
-- grain:  one row per lead and pass that reached any step from the lead to the win
-- key:    lead_id, pass
-- reads:  funnel.lead_pass, funnel.opportunity_amount, funnel.lead_verdict, resolved.lead_captured,
--         resolved.handoff_accepted
-- says:   when each lead reached each step in each of its ways through the funnel, and what its deals booked
-- means:  A pass that reached a step has reached every earlier one, no later than that; only the capture is not
--         inferred, except that a lead which comes back is captured again when its next pass begins (see lead_pass).
--         A deal belongs to the pass in which it began. Merged leads are one.
-- columns:
--   lead_id       the lead; of merged ones the one that survives
--   pass          which of its ways through the funnel, from 1
--   captured_at   when it was first captured, or came back; null when nothing reports it
--   qualified_at  when it was qualified, or reached a later step
--   accepted_at   when it was first accepted, or reached a later step
--   opened_at     when the first deal was opened, or won
--   won_at        when the first deal was won
--   booked        what its wins booked, in the goals' currency, not yet rounded to cents (decimal); no credit
with
pass as materialized (
    select lead_id, pass, began_at from funnel.lead_pass
),
milestone as (
    select lead_id, occurred_at as began_at, occurred_at as captured_at from resolved.lead_captured
    union all by name
    select lead_id, began_at, began_at as captured_at from pass where pass > 1
    union all by name
    select lead_id, occurred_at as began_at, occurred_at as accepted_at from resolved.handoff_accepted
    union all by name
    select lead_id, qualified_at as began_at, qualified_at
    from funnel.lead_verdict
    where is_qualified and qualified_at <= $as_of
    union all by name
    select lead_id, coalesce(least(opened_at, closed_at), '-infinity'::timestamptz) as began_at,
        opened_at,
        case when status = 'won' then closed_at end as won_at, exact_booked
    from funnel.opportunity_amount
    where lead_id is not null and status <> 'credit'
)
select
    milestone.lead_id,
    coalesce(pass.pass, 1) as pass,
    min(captured_at) as captured_at,
    least(min(qualified_at), min(accepted_at), min(opened_at), min(won_at)) as qualified_at,
    least(min(accepted_at), min(opened_at), min(won_at)) as accepted_at,
    least(min(opened_at), min(won_at)) as opened_at,
    min(won_at) as won_at,
    coalesce(sum(exact_booked), 0)::decimal(38,12) as booked
from milestone
asof left join pass on pass.lead_id = milestone.lead_id and milestone.began_at >= pass.began_at
group by milestone.lead_id, coalesce(pass.pass, 1)
