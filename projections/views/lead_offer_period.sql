-- view:   lead_offer_period
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.handoff_offer
-- says:   from when to when each handoff is the latest offer of its lead
-- means:  A period begins with the offer and ends before the lead's next one. Of two offers of a lead in one
--         instant the later handoff id is the latest; the period of the other is empty.
-- columns:
--   lead_id     the lead; of merged ones the one that survives
--   handoff_id  the handoff
--   from_team   the team that offered
--   to_team     the team asked to answer
--   offered_at  when it was offered: the first instant of the period
--   until_at    when the lead was offered next: the first instant after the period; null for the latest offer
select
    lead_id,
    handoff_id,
    from_team,
    to_team,
    offered_at,
    lead(offered_at) over (partition by lead_id order by offered_at, handoff_id) as until_at
from funnel.handoff_offer
