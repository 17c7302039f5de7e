-- evidence: attribution
-- says: the win, and the first touch of the session
with
credited as materialized (
    select opportunity_id, model, session_id, event_type, is_attributed from funnel.attribution
)
select opportunity_id, model, session_id, 'OpportunityWon' as event_type, win.event_id
from credited
join evidence.win as win using (opportunity_id)
union all
select opportunity_id, model, session_id, event_type, session_id
from credited
where is_attributed
