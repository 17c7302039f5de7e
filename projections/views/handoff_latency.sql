-- view:   handoff_latency
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.handoff, resolved.touch_recorded
-- says:   how long each handoff took, in wall-clock and business minutes, and whose minutes they were
-- columns:
--   handoff_id           the handoff
--   lead_id              the lead
--   from_team            the team that offered
--   to_team              the team asked to answer
--   owner                who answered, or who should
--   offered_at           when it was offered
--   answered_at          first answer; null while open
--   answer               accepted or returned
--   elapsed_minutes      wall-clock minutes from the offer to the answer; negative when the clocks disagree
--   business_minutes     the same in open minutes of the calendar
--   owner_minutes        business minutes from the owner's own start (last assignment) to the answer
--   band                 band of the elapsed minutes: 0-5, 5-15, 15-60 or 60+
--   is_clock_suspect     true when the clocks of the two teams disagree; left out of SLA shares
--   first_attempt_at     first human attempt to reach the buyer
--   attempts             human attempts
--   reached_at           first two-way contact
--   signal_at            the buyer's last inbound signal before the offer, which the segments start from
--   segment_integration  minutes from the signal to Baton knowing it; belongs to the systems
--   segment_routing      minutes from knowing the signal to the offer; belongs to the offering team
--   segment_answer       business minutes from the offer to the answer; belongs to the receiving team
--   segment_attempt      business minutes from the answer to the first human attempt; belongs to the receiving team
--   segment_off_hours    minutes of those two that lay outside the calendar; belongs to nobody
--   segment_buyer        minutes from the first attempt to reaching the buyer; belongs to the buyer
--   total_minutes        from the signal (or the offer) to the last moment known; the segments add up to it
--   calendar             the calendar of the business minutes
--   playbook_version     the playbook it is judged by
with
-- The buyer's signals: one row per lead and instant, by the copy that was recorded first.
signal as (
    select lead_id, occurred_at as signal_at, min(recorded_at) as signal_recorded_at
    from resolved.touch_recorded
    where is_inbound and not is_automated
    group by lead_id, occurred_at
),
signalled_handoff as (
    select handoff.*, signal.signal_at, signal.signal_recorded_at,
        -- An attempt may come before the answer, and the buyer may answer before either: time runs one way.
        case when answered_at is not null and first_attempt_at is not null
             then greatest(first_attempt_at, answered_at) end as attempted_at,
        case when answered_at is not null and first_attempt_at is not null and reached_at is not null
             then greatest(reached_at, first_attempt_at, answered_at) end as contacted_at
    from funnel.handoff as handoff
    asof left join signal on signal.lead_id = handoff.lead_id and handoff.offered_at >= signal.signal_at
),
open_total as (
    select signalled_handoff.*,
        open_us_at(calendar, answered_at) as answered_open_us,
        open_us_at(calendar, offered_at) as offered_open_us,
        open_us_at(calendar, attempted_at) as attempted_open_us,
        open_us_at(calendar, owner_since_at) as owner_open_us
    from signalled_handoff
),
measured as (
    select open_total.*,
        epoch_us(answered_at) - epoch_us(offered_at) as answer_us,
        answered_open_us - offered_open_us as answer_open_us,
        epoch_us(attempted_at) - epoch_us(answered_at) as attempt_us,
        attempted_open_us - answered_open_us as attempt_open_us
    from open_total
)
select
    handoff_id,
    lead_id,
    from_team,
    to_team,
    owner,
    offered_at,
    answered_at,
    answer,
    answer_us / 60000000.0::double as elapsed_minutes,
    answer_open_us / 60000000.0::double as business_minutes,
    (answered_open_us - owner_open_us) / 60000000.0::double as owner_minutes,
    case
        when answer_us is null then null
        when answer_us < 300000000 then '0-5'
        when answer_us < 900000000 then '5-15'
        when answer_us < 3600000000 then '15-60'
        else '60+'
    end as band,
    is_clock_suspect,
    first_attempt_at,
    attempts,
    reached_at,
    signal_at,
    (epoch_us(signal_recorded_at) - epoch_us(signal_at)) / 60000000.0::double as segment_integration,
    (epoch_us(offered_at) - epoch_us(signal_recorded_at)) / 60000000.0::double as segment_routing,
    answer_open_us / 60000000.0::double as segment_answer,
    attempt_open_us / 60000000.0::double as segment_attempt,
    (answer_us - answer_open_us + coalesce(attempt_us - attempt_open_us, 0)) / 60000000.0::double
        as segment_off_hours,
    (epoch_us(contacted_at) - epoch_us(attempted_at)) / 60000000.0::double as segment_buyer,
    (epoch_us(coalesce(contacted_at, attempted_at, answered_at, offered_at))
        - epoch_us(coalesce(signal_at, offered_at))) / 60000000.0::double as total_minutes,
    calendar,
    playbook_version
from measured
