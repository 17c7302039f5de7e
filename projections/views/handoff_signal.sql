-- view:   handoff_signal
-- grain:  one row per handoff before whose offer the buyer was waiting for a human
-- key:    handoff_id
-- stored: handoff_id
-- reads:  funnel.handoff_offer, resolved.touch_recorded, resolved.contact_attempted, resolved.buyer_reached
-- says:   since when the buyer had been waiting for a human when each handoff was offered
-- means:  The buyer's first inbound signal before the offer that no human had answered by then: neither with an
--         attempt, nor with two-way contact, nor with an outbound touch. Later signals of the same wait do not
--         start it again. Automated touches are neither signals nor answers.
-- columns:
--   handoff_id   the handoff
--   signal_at    when the wait began
--   recorded_at  when Baton first accepted a signal of that instant
--   event_id     the signal
with
human_answer as materialized (
    select lead_id, occurred_at as answered_at from resolved.contact_attempted where not is_automated
    union
    select lead_id, occurred_at from resolved.buyer_reached
    union
    select lead_id, occurred_at from resolved.touch_recorded where not is_inbound and not is_automated
),
signal as (
    select lead_id, occurred_at as signal_at, recorded_at, event_id
    from resolved.touch_recorded
    where is_inbound and not is_automated
),
-- A wait lasts from the first signal after an answer until the next answer.
wait as (
    select signal.lead_id, coalesce(answered_at, '-infinity'::timestamptz) as answered_at,
        min({'signal_at': signal_at, 'recorded_at': recorded_at, 'event_id': event_id}) as first
    from signal
    asof left join human_answer
        on human_answer.lead_id = signal.lead_id and signal.signal_at > human_answer.answered_at
    group by all
),
offer as (
    select handoff_id, offer.lead_id, offered_at, coalesce(answered_at, '-infinity'::timestamptz) as answered_at
    from funnel.handoff_offer as offer
    asof left join human_answer
        on human_answer.lead_id = offer.lead_id and offer.offered_at > human_answer.answered_at
)
select
    handoff_id,
    first.signal_at as signal_at,
    first.recorded_at as recorded_at,
    first.event_id as event_id
from offer
join wait using (lead_id, answered_at)
where first.signal_at <= offered_at
