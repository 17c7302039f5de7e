-- view:   lead_offer_period
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  resolved.handoff
-- says:   from when to when each handoff is the latest offer of its lead: what names a lead and no handoff belongs
--         to the offer in whose period it lies
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
    offer.from_team as from_team,
    offer.to_team as to_team,
    offer.occurred_at as offered_at,
    lead(offer.occurred_at) over (partition by lead_id order by offer.occurred_at, handoff_id) as until_at
from resolved.handoff
