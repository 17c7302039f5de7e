-- view:   handoff_period
-- grain:  one row per handoff offered and period in which one person had it, and its clock ran or was paused
-- key:    handoff_id, from_at
-- reads:  funnel.handoff_event, funnel.handoff_offer, playbook.all_version, playbook.all_calendar,
--         playbook.all_member, playbook.all_team
-- says:   whose time it was, by which calendar, and whether the clock was paused; the periods of a handoff follow each
--         other without a gap
-- means:  An assignment or an acceptance makes its owner the owner from then on. Nobody's time before it is the
--         receiving team's. A handoff that was answered without any assignment was that person's from the
--         beginning. A pause lasts until the handoff is resumed.
-- columns:
--   handoff_id        the handoff
--   from_at           when the period began; -infinity for the first
--   until_at          when the next one began; infinity for the last
--   owner             whose it was; null for the team's
--   calendar          the owner's calendar, else the team's
--   pause_reason      why the clock was paused; null while it ran
--   playbook_version  the playbook that governs the handoff: the one in force when it was offered
with
handoff as materialized (
    select handoff_id, to_team, offer_event_id, offered_at,
        -- Without an assignment, whoever answers is the only owner there was.
        case when assignments is null or assignments[1].place > first_answer.place then first_answer.owner end
            as first_owner
    from funnel.handoff_offer
),
turn as (
    select
        handoff_id, event.place, event.occurred_at,
        coalesce(event.owner, case when event_type = 'HandoffOffered' then first_owner end) as owner,
        case event_type
            when 'HandoffPaused' then {'reason': reason_code}
            when 'HandoffResumed' then {'reason': null}
        end as pause
    from funnel.handoff_event as event
    join handoff using (handoff_id)
    where event_type in ('HandoffReassigned', 'HandoffAccepted', 'HandoffPaused', 'HandoffResumed')
        or event_type = 'HandoffOffered' and event_id = offer_event_id
),
period as (
    select
        handoff_id,
        case when row_number() over story = 1 then '-infinity'::timestamptz else occurred_at end as from_at,
        coalesce(lead(occurred_at) over story, 'infinity'::timestamptz) as until_at,
        last_value(owner ignore nulls) over story as owner,
        (last_value(pause ignore nulls) over story).reason as pause_reason
    from turn
    window story as (partition by handoff_id order by place)
)
select
    handoff_id,
    from_at,
    until_at,
    period.owner,
    coalesce(member.calendar, team.calendar, first.calendar) as calendar,
    pause_reason,
    version.playbook_version
from period
join handoff using (handoff_id)
left join playbook.all_version as version
    on offered_at >= coalesce(in_force_from, '-infinity'::timestamptz)
    and offered_at < coalesce(in_force_until, 'infinity'::timestamptz)
left join playbook.all_calendar as first
    on first.playbook_version = version.playbook_version and first.position = 0
left join playbook.all_member as member
    on member.playbook_version = version.playbook_version and member.owner = period.owner
left join playbook.all_team as team
    on team.playbook_version = version.playbook_version and team.team = handoff.to_team
where from_at < until_at
