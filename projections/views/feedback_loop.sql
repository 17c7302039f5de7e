-- view:   feedback_loop
-- grain:  one row per pair of teams and reason of return
-- key:    from_team, to_team, reason_code
-- reads:  funnel.feedback_loop_slice
-- says:   why leads are given back, what the offering team answered and how fast, and what came of it
-- means:  A handoff that was ever returned counts once, under its latest return, even if it was taken after
--         all. Acknowledged: the offering team said what it will do. In time, past due and the median follow
--         the clock of the SLA that the playbook sets for it (handoff_sla, acknowledge_return); a pair
--         without one has none. Converted after: a deal of the same lead was opened after the return. By dimension
--         and window: feedback_loop_slice.
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
select * exclude (dimension, value, window_unit, window_start)
from funnel.feedback_loop_slice
where dimension = 'all' and window_unit = 'all'
order by returned desc, from_team, to_team, reason_code
