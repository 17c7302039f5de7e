-- evidence: handoff_sla
-- says: the event that started the clock and the one that stopped it; of the attempts, each of them
select handoff_id, sla, event_type, event_id
from funnel.handoff_sla
join evidence.handoff using (handoff_id)
join facts.event using (event_type, event_id)
where case sla
    when 'answer' then event_type in ('HandoffOffered', 'HandoffAccepted', 'HandoffReturned')
    when 'acknowledge_return' then event_type in ('HandoffReturned', 'FeedbackAcknowledged')
    else event_type in ('HandoffAccepted', 'BuyerReached') or event_id in (
        select attempted.event_id from resolved.contact_attempted as attempted where not is_automated)
end
and (occurred_at in (starts_at, met_at)
    or sla = 'attempts' and event_type = 'ContactAttempted' and occurred_at <= coalesce(met_at, $as_of))
