-- state:  handoff
-- grain:  one row per handoff offered
-- key:    handoff_id
-- reads:  facts.handoff_offered, facts.handoff_accepted, facts.handoff_returned, facts.handoff_reassigned,
--         facts.feedback_acknowledged
-- says:   when responsibility was offered, the first and the last answer to it, who owned it, and whether a
--         return was acknowledged
-- columns:
--   offer            min    the earliest offer, with what it said
--   first_answer     min    the earliest answer by event time: accepted or returned
--   last_answer      max    the latest answer
--   accepted_at      min    the earliest acceptance
--   last_return      max    the latest return, with its reason
--   reassignments    union  every assignment to an owner
--   acknowledgement  min    the earliest acknowledgement of a return
select
    handoff_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'recorded_at': recorded_at, 'lead_id': lead_id,
     'account_id': account_id, 'from_team': from_team, 'to_team': to_team, 'owner': owner, 'reason': reason,
     'data_completeness': data_completeness, 'previous_handoff_id': previous_handoff_id} as offer
from facts.handoff_offered
union all by name
select
    handoff_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'answer': 'accepted', 'owner': owner} as first_answer,
    first_answer as last_answer,
    occurred_at as accepted_at
from facts.handoff_accepted
union all by name
select
    handoff_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'answer': 'returned', 'owner': owner} as first_answer,
    first_answer as last_answer,
    {'occurred_at': occurred_at, 'event_id': event_id, 'reason_code': reason_code} as last_return
from facts.handoff_returned
union all by name
select
    handoff_id,
    [{'occurred_at': occurred_at, 'event_id': event_id, 'to_owner': to_owner}] as reassignments
from facts.handoff_reassigned
union all by name
select
    handoff_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'disposition': disposition,
     'acknowledged_by': acknowledged_by} as acknowledgement
from facts.feedback_acknowledged
