-- view:   black_hole
-- grain:  one row per state a handoff can be in, empty ones too
-- key:    state
-- reads:  funnel.black_hole_slice
-- says:   where every lead handed over is now; the counts add up to the handoffs offered
-- means:  By dimension and window: black_hole_slice.
-- columns:
--   position  order of the states, from nowhere to done
--   state     the state
--   handoffs  handoffs in it, as of now
--   says      what the state means
--   oldest_offered_at  the oldest offer among them
with known(position, state, says) as (
    values
        (1, 'not_arrived', 'offered, and the receiving system never said a word about it'),
        (2, 'waiting', 'arrived, unanswered, and in time'),
        (3, 'at_risk', 'unanswered, and most of the time is gone'),
        (4, 'past_due', 'unanswered, and the time is up'),
        (5, 'accepted_untouched', 'accepted, and no human has tried to reach the buyer'),
        (6, 'being_worked', 'accepted and worked, or the buyer was reached'),
        (7, 'returned_unacknowledged', 'returned, and the offering team has not answered'),
        (8, 'returned_acknowledged', 'returned, and the offering team has answered'),
        (9, 'recycled', 'returned, and offered again later'),
        (10, 'converted', 'became a deal that is open or won'),
        (11, 'lost', 'became a lost deal, or was disqualified after a return'),
        (12, 'moot', 'unanswered, and its record was merged into another')
)
select
    known.position,
    known.state,
    coalesce(handoffs, 0) as handoffs,
    known.says,
    oldest_offered_at
from known
left join (
    select * from funnel.black_hole_slice where dimension = 'all' and window_unit = 'all'
) as slice using (state)
order by position
