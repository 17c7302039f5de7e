-- evidence: deal_stay
-- says: the events of the deal from the beginning of the stay to its end
select opportunity_id, number, event_type, event_id
from funnel.deal_stay
join funnel.deal_event using (opportunity_id)
where occurred_at >= entered_at and (left_at is null or occurred_at <= left_at)
