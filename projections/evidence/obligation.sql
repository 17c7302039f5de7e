-- evidence: obligation
-- says: the event that began it and the one that ended it, of attempts each of them; and who was assigned to it, paused
--         or resumed it meanwhile
select handoff_id, sla, episode, event_type, event_id
from funnel.obligation
join evidence.handoff using (handoff_id)
join resolved.event using (event_type, event_id)
where occurred_at in (starts_at, met_at, ended_at) and case sla
        when 'answer' then event_type in ('HandoffOffered', 'HandoffAccepted', 'HandoffReturned', 'BuyerReached',
            'OpportunityOpened', 'LeadsMerged')
        when 'acknowledge_return' then event_type in ('HandoffReturned', 'FeedbackAcknowledged', 'HandoffAccepted',
            'HandoffOffered', 'OpportunityOpened', 'LeadsMerged')
        else event_type in ('HandoffAccepted', 'BuyerReached', 'HandoffReturned', 'OpportunityOpened', 'LeadsMerged')
            or event_id in (
                select attempted.event_id from resolved.contact_attempted as attempted where not is_automated)
    end
    or sla = 'attempts' and occurred_at <= coalesce(ended_at, $as_of) and event_id in (
        select attempted.event_id from resolved.contact_attempted as attempted where not is_automated)
    or sla <> 'acknowledge_return' and occurred_at <= coalesce(ended_at, $as_of)
        and event_type in ('HandoffReassigned', 'HandoffPaused', 'HandoffResumed')
