-- evidence: attribution_team
-- says: the wins in which the team has credit, and the first touches of its sessions that earned it
select model, period, coalesce(team, 'unattributed') as team, behind.event_type, behind.event_id
from funnel.attribution as credited
join funnel.win as win using (opportunity_id)
join evidence.attribution as behind using (opportunity_id, model, session_id)
where credit > 0
