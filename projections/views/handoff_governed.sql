-- view:   handoff_governed
-- grain:  one row per handoff offered
-- key:    handoff_id
-- stored: handoff_id
-- reads:  funnel.handoff_history, playbook.all_version, playbook.all_calendar, playbook.all_member,
--         playbook.all_team
-- says:   which playbook judges each handoff, and in whose calendars its business time is counted, beside what
--         happened to it
-- means:  An assignment or an acceptance makes its owner the owner from then on. Before any, the time is the receiving
--         team's. A handoff answered without an assignment was that person's from the beginning. A pause lasts
--         until the handoff is resumed.
-- columns:
--   all of handoff_history
--   playbook_version  the playbook it is judged by: the one in force when it was offered
--   at_risk_share     share of an SLA's time after which that playbook calls it at risk
--   calendar          the calendar its business time is counted in: the owner's, else the team's
--   sender_calendar   the calendar of the team that offered: what that team owes is counted in it
--   periods           in order, and without a gap, whose time it was: from_at, until_at, owner, calendar, and
--                     pause_reason, null while the clock ran (list of structs)
with
handoff as materialized (
    select history.*, version.playbook_version, version.at_risk_share,
        coalesce(team.calendar, first.calendar) as team_calendar,
        coalesce(member.calendar, team_calendar) as calendar,
        sender.calendar as sender_calendar,
        -- Without an assignment, whoever answers is the only owner there was.
        coalesce(offered_to, case when coalesce(assignments[1].place > answers[1].place, true)
            then answers[1].owner end) as first_owner
    from funnel.handoff_history as history
    -- A playbook signed later judges what is offered later; a verdict keeps its version.
    left join playbook.all_version as version
        on offered_at >= coalesce(in_force_from, '-infinity'::timestamptz)
        and offered_at < coalesce(in_force_until, 'infinity'::timestamptz)
    left join playbook.all_calendar as first
        on first.playbook_version = version.playbook_version and first.position = 0
    left join playbook.all_team as team
        on team.playbook_version = version.playbook_version and team.team = history.to_team
    left join playbook.all_member as member
        on member.playbook_version = version.playbook_version and member.owner = history.owner
    left join playbook.all_team as sender
        on sender.playbook_version = version.playbook_version and sender.team = history.from_team
),
turn as (
    select handoff_id, '-infinity'::timestamptz as occurred_at, null as place, first_owner as owner, null as pause
    from handoff
    union all by name
    select handoff_id, assigned.place.occurred_at as occurred_at, assigned.place, assigned.owner
    from (select handoff_id, unnest(assignments) as assigned from handoff)
    union all by name
    select handoff_id, given.place.occurred_at as occurred_at, given.place, given.owner
    from (select handoff_id, unnest(answers) as given from handoff)
    where given.answer = 'accepted'
    union all by name
    select handoff_id, paused.place.occurred_at as occurred_at, paused.place, {'reason': paused.reason_code} as pause
    from (select handoff_id, unnest(pauses) as paused from handoff)
),
period as (
    select
        handoff_id,
        occurred_at as from_at,
        coalesce(lead(occurred_at) over story, 'infinity'::timestamptz) as until_at,
        last_value(owner ignore nulls) over story as owner,
        (last_value(pause ignore nulls) over story).reason as pause_reason
    from turn
    window story as (partition by handoff_id order by place nulls first)
),
owned as (
    select
        handoff_id,
        list_sort(list({
            'from_at': from_at, 'until_at': until_at, 'owner': period.owner,
            'calendar': coalesce(member.calendar, team_calendar), 'pause_reason': pause_reason
        })) as periods
    from period
    join handoff using (handoff_id)
    left join playbook.all_member as member
        on member.playbook_version = handoff.playbook_version and member.owner = period.owner
    where from_at < until_at
    group by handoff_id
)
select
    handoff.* exclude (playbook_version, at_risk_share, team_calendar, calendar, sender_calendar, first_owner),
    playbook_version,
    at_risk_share,
    calendar,
    sender_calendar,
    periods
from handoff
join owned using (handoff_id)
