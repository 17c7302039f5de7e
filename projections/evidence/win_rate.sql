-- evidence: win_rate
-- says: the events of the deals opened in the period, or won or lost in it
select unit, starts_on, event_type, event_id
from funnel.deal as deal
join funnel.deal_event using (opportunity_id)
cross join playbook.version
join funnel.win_rate
    on (first_at at time zone zone)::date between starts_on and ends_on
    or (closed_at at time zone zone)::date between starts_on and ends_on
where status <> 'credit'
