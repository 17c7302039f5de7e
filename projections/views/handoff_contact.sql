-- view:   handoff_contact
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  resolved.handoff_offered, funnel.handoff_contact_event
-- says:   what the receiving side did about the lead after each handoff
-- means:  See handoff_contact_event for what counts for which handoff.
-- columns:
--   handoff_id          the handoff
--   human_attempt_ats   when humans tried to reach the buyer, in order (list of instants)
--   automated_attempts  how often a sequence or bot tried; never an answer
--   reached_at          first two-way contact
--   reached_ats         when there was two-way contact, in order (list of instants)
--   deal_opened_ats     when deals that came of the handoff were opened, in order (list of instants)
--   opportunities       deals that came of the handoff
--   opportunities_lost  how many of those are lost
select
    handoff_id,
    list_sort(list(occurred_at) filter (where kind = 'human')) as human_attempt_ats,
    count(*) filter (where kind = 'automated') as automated_attempts,
    min(occurred_at) filter (where kind = 'reached') as reached_at,
    list_sort(list(occurred_at) filter (where kind = 'reached')) as reached_ats,
    list_sort(list(occurred_at) filter (where kind in ('deal', 'lost_deal'))) as deal_opened_ats,
    count(*) filter (where kind in ('deal', 'lost_deal')) as opportunities,
    count(*) filter (where kind = 'lost_deal') as opportunities_lost
from (select distinct handoff_id from resolved.handoff_offered) as offered
left join funnel.handoff_contact_event using (handoff_id)
group by handoff_id
