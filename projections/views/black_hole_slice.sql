-- view:   black_hole_slice
-- grain:  one row per slice, window and state with a handoff of a lead of the slice offered in the window
-- key:    dimension, value, window_unit, window_start, state
-- reads:  funnel.handoff, funnel.lead_slice, playbook.dimension, playbook.window_unit
-- says:   where the leads handed over in a window are now, by source, campaign, segment, owner and so on; the counts add
--         up to the handoffs offered
-- means:  Counted as in black_hole, which is the slice all over all windows, and says what each state means. A handoff
--         belongs to the lead that was offered, and to the window of its offer.
-- columns:
--   dimension          what it is sliced by: a column of lead_dimension, or all
--   value              the value of that dimension; all for all
--   window_unit        day, week, month, quarter, fiscal_quarter, year or all
--   window_start       first day of the window; null for all
--   state              the state
--   handoffs           handoffs in it, as of now
--   oldest_offered_at  the oldest offer among them
select
    dimension,
    dimension_value(dimension, value) as value,
    window_unit,
    window_of(offered_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
        as window_start,
    state,
    count(*) as handoffs,
    min(offered_at) as oldest_offered_at
from funnel.handoff
cross join playbook.dimension
left join funnel.lead_slice using (lead_id, dimension)
cross join playbook.window_unit
group by all
