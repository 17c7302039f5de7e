-- view:   obligation_span
-- grain:  one row per obligation and period in which one person owed it, and its clock ran or was paused
-- key:    handoff_id, sla, episode, from_at
-- reads:  funnel.obligation_clock
-- says:   whose minutes each obligation used, by whose calendar; the used minutes of its spans are those of the
--         obligation
-- columns:
--   handoff_id      the handoff
--   sla             answer, first_attempt, attempts or acknowledge_return
--   episode         1 for the first time it was owed, 2 for the next
--   from_at         when the span began
--   until_at        when it ended; null for the last one of an obligation that is still open
--   owner           who owed it; null for a team
--   calendar        whose open time is counted; an elapsed clock counts all time
--   pause_reason    why the clock was paused; null while it ran
--   used_minutes    minutes of the clock in the span; none while it was paused
--   paused_minutes  wall-clock minutes of the span while the clock was paused
select
    handoff_id,
    sla,
    episode,
    span.from_at as from_at,
    span.until_at as until_at,
    span.owner as owner,
    span.calendar as calendar,
    span.pause_reason as pause_reason,
    span.used_us / 60000000.0::double as used_minutes,
    span.paused_us / 60000000.0::double as paused_minutes
from (select handoff_id, sla, episode, unnest(spans) as span from funnel.obligation_clock where clock is not null)
