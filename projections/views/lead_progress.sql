-- view:   lead_progress
-- grain:  one row per lead that reached any step from the lead to the win
-- key:    lead_id
-- reads:  funnel.opportunity_amount, funnel.lead_verdict, resolved.lead_captured, resolved.handoff_accepted
-- says:   when each lead first reached each step of the funnel, and what its deals booked
-- means:  A lead that reached a step has reached every earlier one, no later than that; only the capture is never
--         inferred. Merged leads are one.
-- columns:
--   lead_id       the lead; of merged ones the one that survives
--   captured_at   when it was first captured; null when nothing reports it
--   qualified_at  when it was qualified, or reached a later step
--   accepted_at   when it was first accepted, or reached a later step
--   opened_at     when its first deal was opened, or won
--   won_at        when its first deal was won
--   booked        what its deals booked, in the goals' currency, not yet rounded to cents (decimal)
with
milestone as (
    select lead_id, occurred_at as captured_at from resolved.lead_captured
    union all by name
    select lead_id, occurred_at as accepted_at from resolved.handoff_accepted
    union all by name
    select lead_id, qualified_at from funnel.lead_verdict where is_qualified and qualified_at <= $as_of
    union all by name
    select lead_id, opened_at, case when status = 'won' then closed_at end as won_at, exact_booked
    from funnel.opportunity_amount
    where lead_id is not null
)
select
    lead_id,
    min(captured_at) as captured_at,
    least(min(qualified_at), min(accepted_at), min(opened_at), min(won_at)) as qualified_at,
    least(min(accepted_at), min(opened_at), min(won_at)) as accepted_at,
    least(min(opened_at), min(won_at)) as opened_at,
    min(won_at) as won_at,
    coalesce(sum(exact_booked), 0)::decimal(38,12) as booked
from milestone
group by lead_id
