-- view:   handoff_latency
-- grain:  one row per handoff offered
-- key:    handoff_id
-- stored: handoff_id
-- reads:  funnel.handoff_governed, funnel.handoff_signal, playbook.version, playbook.all_member
-- says:   how long each handoff took, in wall-clock and business minutes, and whose minutes they were
-- means:  No segment is negative. When the clocks of the teams disagree (an answer or contact before the offer), the
--         elapsed and business minutes are shown as they are, and the segments end with the offer.
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
--   business_minutes     the same in open minutes: of each owner's part by that owner's calendar, without pauses
--   owner_minutes        business minutes from the owner's own start (last assignment) to the answer
--   band                 band of the elapsed minutes: 0-5, 5-15, 15-60 or 60+; null when the clocks disagree
--   is_clock_suspect     true when the clocks of the two teams disagree; left out of SLA shares
--   first_attempt_at     first human attempt to reach the buyer
--   attempts             human attempts
--   reached_at           first two-way contact
--   signal_at            the buyer's first inbound signal before the offer that no human had answered, which the
--                        segments start from
--   segment_integration  minutes from the signal to Baton knowing it, at most until the offer; belongs to the systems
--   segment_routing      minutes from knowing the signal to the offer; belongs to the offering team
--   segment_answer       business minutes from the offer to the answer; belongs to the receiving team
--   segment_attempt      business minutes from the answer to the first human attempt, or two-way contact; belongs to
--                        the receiving team
--   segment_off_hours    minutes of those two that lay outside the calendar; belongs to nobody
--   segment_buyer        minutes from the first attempt to reaching the buyer; belongs to the buyer
--   total_minutes        from the signal (or the offer) to the last moment known; the segments add up to it
--   calendar             the owner's calendar, else the team's
--   playbook_version     the playbook it is judged by
--   segment_paused       wall-clock minutes of those two while the clock was paused; belongs to pause_reasons
--   pause_reasons        why it was paused
--   owner_team           the owner's team under that playbook, else the team asked to answer
--   offered_on           the day of the offer, in the zone of the playbook in force now
--   offered_hour         its hour of the day there, 0 to 23
with
handoff as materialized (
    select *,
        -- An attempt may come before the answer, and the buyer may answer before either: time runs one way.
        case when not is_clock_suspect then answered_at end as judged_at,
        greatest(judged_at, least(first_attempt_at, reached_at)) as worked_at,
        case when judged_at is not null and least(first_attempt_at, reached_at) is not null then worked_at end
            as attempted_at,
        case when attempted_at is not null and reached_at is not null then greatest(reached_at, attempted_at) end
            as contacted_at
    from funnel.handoff_governed
),
-- The minutes of each owner by that owner's calendar, while the clock ran, and those while it was paused.
spent as (
    select
        handoff_id,
        sum(answer_open_us) as answer_open_us,
        sum(answer_open_us) filter (where until_at > owner_since_at) as owner_open_us,
        sum(attempt_open_us) as attempt_open_us,
        sum(greatest(0, epoch_us(least(until_at, coalesce(attempted_at, judged_at)))
            - epoch_us(greatest(from_at, offered_at)))) filter (where pause_reason is not null
                and from_at < coalesce(attempted_at, judged_at) and until_at > offered_at) as paused_us,
        string_agg(distinct pause_reason, ', ' order by pause_reason)
            filter (where from_at < coalesce(attempted_at, judged_at) and until_at > offered_at) as pause_reasons
    from (
        select handoff_id, from_at, until_at, pause_reason, offered_at, owner_since_at, judged_at, attempted_at,
            case when pause_reason is null and least(offered_at, answered_at) < until_at
                    and greatest(offered_at, answered_at) > from_at
                then (open_us_at(calendar, least(until_at, greatest(offered_at, answered_at)))
                    - open_us_at(calendar, greatest(from_at, least(offered_at, answered_at))))
                    * case when answered_at < offered_at then -1 else 1 end
                else 0 end as answer_open_us,
            case when pause_reason is null and judged_at < until_at and attempted_at > from_at
                then open_us_at(calendar, least(until_at, attempted_at))
                    - open_us_at(calendar, greatest(from_at, judged_at))
                else 0 end as attempt_open_us
        from (
            select handoff_id, offered_at, answered_at, owner_since_at, judged_at, attempted_at,
                unnest(periods, max_depth := 2)
            from handoff
            where answered_at is not null
        )
    )
    group by handoff_id
),
signalled as (
    select handoff.*, signal.signal_at,
        -- What Baton was given after the offer says nothing about the time before it.
        case when signal.signal_at is not null
            then greatest(signal.signal_at, least(signal.recorded_at, offered_at)) end as signal_known_at
    from handoff
    left join funnel.handoff_signal as signal using (handoff_id)
),
measured as (
    select signalled.*, spent.* exclude (handoff_id),
        epoch_us(answered_at) - epoch_us(offered_at) as answer_us,
        epoch_us(coalesce(attempted_at, judged_at)) - epoch_us(offered_at) as worked_us
    from signalled
    left join spent using (handoff_id)
)
select
    handoff_id,
    lead_id,
    from_team,
    to_team,
    measured.owner,
    offered_at,
    answered_at,
    answer,
    answer_us / 60000000.0::double as elapsed_minutes,
    answer_open_us / 60000000.0::double as business_minutes,
    owner_open_us / 60000000.0::double as owner_minutes,
    case
        when answer_us is null or is_clock_suspect then null
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
    (epoch_us(signal_known_at) - epoch_us(signal_at)) / 60000000.0::double as segment_integration,
    (epoch_us(offered_at) - epoch_us(signal_known_at)) / 60000000.0::double as segment_routing,
    case when judged_at is not null then answer_open_us end / 60000000.0::double as segment_answer,
    case when attempted_at is not null then attempt_open_us end / 60000000.0::double as segment_attempt,
    (worked_us - answer_open_us - attempt_open_us - coalesce(paused_us, 0)) / 60000000.0::double
        as segment_off_hours,
    (epoch_us(contacted_at) - epoch_us(attempted_at)) / 60000000.0::double as segment_buyer,
    (epoch_us(coalesce(contacted_at, attempted_at, judged_at, offered_at))
        - epoch_us(coalesce(signal_at, offered_at))) / 60000000.0::double as total_minutes,
    measured.calendar,
    measured.playbook_version,
    paused_us / 60000000.0::double as segment_paused,
    pause_reasons,
    coalesce(member.team, to_team) as owner_team,
    (offered_at at time zone zone)::date as offered_on,
    hour(offered_at at time zone zone)::integer as offered_hour
from measured
left join playbook.all_member as member
    on member.playbook_version = measured.playbook_version and member.owner = measured.owner
cross join playbook.version as version
