-- view:   handoff_governed
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  funnel.handoff_history, playbook.all_version, playbook.all_calendar, playbook.all_member,
--         playbook.all_team
-- says:   which playbook judges each handoff, and in whose calendars its business time is counted, beside what
--         happened to it
-- columns:
--   all of handoff_history
--   playbook_version  the playbook it is judged by: the one in force when it was offered
--   at_risk_share     share of an SLA's time after which that playbook calls it at risk
--   calendar          the calendar its business time is counted in: the owner's, else the team's
--   sender_calendar   the calendar of the team that offered: what that team owes is counted in it
select
    history.*,
    version.playbook_version,
    version.at_risk_share,
    coalesce(member.calendar, team.calendar, first.calendar) as calendar,
    sender.calendar as sender_calendar
from funnel.handoff_history as history
-- A playbook signed later judges what is offered later; a verdict keeps its version.
left join playbook.all_version as version
    on offered_at >= coalesce(in_force_from, '-infinity'::timestamptz)
    and offered_at < coalesce(in_force_until, 'infinity'::timestamptz)
left join playbook.all_calendar as first
    on first.playbook_version = version.playbook_version and first.position = 0
left join playbook.all_member as member
    on member.playbook_version = version.playbook_version and member.owner = history.owner
left join playbook.all_team as team
    on team.playbook_version = version.playbook_version and team.team = history.to_team
left join playbook.all_team as sender
    on sender.playbook_version = version.playbook_version and sender.team = history.from_team
