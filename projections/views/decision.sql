-- view:   decision
-- grain:  one row per decision recorded
-- key:    decision_id
-- reads:  resolved.decision_recorded
-- says:   what the teams decided together, who sees to it, and which number should move by when
-- means:  Of several records of one decision the latest counts; it was decided when the earliest says. Its number is an
--         address in the meeting pack, which shows what that number did since.
-- columns:
--   decision_id      the decision
--   decided_at       when it was decided
--   decision         what was decided, in a sentence
--   decided_by       who decided
--   owner            who sees to it; null where nobody is named
--   number           the number that should move, by its address in the meeting pack; null where none is named
--   due_on           the day by which it should have moved; null where none is named
--   expected_effect  which number should move, and how, in words
select
    decision_id,
    min(occurred_at) over (partition by decision_id) as decided_at,
    decision,
    decided_by,
    owner,
    number,
    due_on,
    expected_effect
from resolved.decision_recorded
qualify row_number() over (partition by decision_id order by occurred_at desc, event_id desc) = 1
