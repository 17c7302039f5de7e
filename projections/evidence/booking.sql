-- evidence: booking
-- says: the wins and credits of the period, and the events that last gave their amounts
select unit, starts_on, event_type, event_id
from funnel.win
join evidence.win using (opportunity_id)
cross join playbook.version
join funnel.booking on (won_at at time zone zone)::date between starts_on and ends_on
