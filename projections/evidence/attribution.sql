-- evidence: attribution
-- says: the win, and the first touch of the session
select opportunity_id, model, session_id, 'OpportunityWon' as event_type, win.event_id
from funnel.attribution
join evidence.win as win using (opportunity_id)
union all
select opportunity_id, model, session_id, event_type, session_id
from funnel.attribution
where is_attributed
