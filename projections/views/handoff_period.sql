-- view:   handoff_period
-- grain:  one row per handoff offered and period in which one person had it, and its clock ran or was paused
-- key:    handoff_id, from_at
-- reads:  funnel.handoff_governed
-- says:   whose time it was, by which calendar, and whether the clock was paused; the periods of a handoff follow each
--         other without a gap
-- means:  See handoff_governed.
-- columns:
--   handoff_id    the handoff
--   from_at       when the period began; -infinity for the first
--   until_at      when the next one began; infinity for the last
--   owner         whose it was; null for the team's
--   calendar      the owner's calendar, else the team's
--   pause_reason  why the clock was paused; null while it ran
select
    handoff_id,
    period.from_at as from_at,
    period.until_at as until_at,
    period.owner as owner,
    period.calendar as calendar,
    period.pause_reason as pause_reason
from (select handoff_id, unnest(periods) as period from funnel.handoff_governed)
