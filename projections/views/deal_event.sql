-- view:   deal_event
-- grain:  one row per event of a deal
-- key:    event_type, event_id
-- stored: opportunity_id
-- reads:  resolved.opportunity_opened, resolved.opportunity_reopened, resolved.opportunity_revised,
--         resolved.opportunity_stage_entered, resolved.opportunity_won, resolved.opportunity_lost,
--         warehouse.record_identity
-- says:   everything reported about a deal, in the order in which it counts
-- means:  Events of one instant count in the order of their meaning: opened, reopened, revised, stage entered, won
--         or lost; of two with the same meaning the one recorded later corrects the other; only then by event id.
--         What is known by day alone comes after everything of that day that is known to the minute, and before the
--         next day, in the playbook's zone; an opening known by day comes before everything of its day. A merged
--         deal has the events of all its records.
-- columns:
--   opportunity_id    the deal; of merged ones the one that survives
--   event_type        OpportunityOpened, OpportunityReopened, OpportunityRevised, OpportunityStageEntered,
--                     OpportunityWon or OpportunityLost
--   event_id          the event
--   occurred_at       when it happened; when only the day is known, the day's end (its beginning, for an opening)
--   is_day_only       true when only the day is known
--   recorded_at       when Baton accepted it
--   place             what decides between two events: instant, meaning, recording, event id; later ones are greater
--   is_of_merged      true when it opened, reopened or lost a record that was merged into this deal afterwards, or
--                     won one that was lost or taken up again before
--   account_id        the company it names
--   lead_id           the lead it names; of merged ones the one that survives
--   handoff_id        the handoff it names
--   owner             who opened the deal
--   stage             the stage entered, or opened in
--   probability       chance to win, 0 to 1, given with the stage
--   amount            the amount it gives (decimal)
--   currency          currency of the amount, ISO 4217
--   closes_on         the closing day it gives
--   reason_code       why the deal was lost
with
reported as materialized (
    select 'OpportunityOpened' as event_type, 1 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only, account_id, lead_id, handoff_id, owner, stage, amount,
        currency, closes_on
    from resolved.opportunity_opened
    union all by name
    select 'OpportunityReopened' as event_type, 2 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only
    from resolved.opportunity_reopened
    union all by name
    select 'OpportunityRevised' as event_type, 3 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only, lead_id, amount, currency, closes_on
    from resolved.opportunity_revised
    union all by name
    select 'OpportunityStageEntered' as event_type, 4 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only, lead_id, stage, probability
    from resolved.opportunity_stage_entered
    union all by name
    select 'OpportunityWon' as event_type, 5 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only, account_id, lead_id, amount, currency
    from resolved.opportunity_won
    union all by name
    select 'OpportunityLost' as event_type, 5 as rank, opportunity_id, named_opportunity_id, event_id,
        occurred_at, recorded_at, is_day_only, lead_id, reason_code
    from resolved.opportunity_lost
),
-- What opened, reopened or lost a record before it was merged into another.
undone as (
    select event_type, reported.event_id, named_opportunity_id, occurred_at
    from reported
    join warehouse.record_identity on kind = 'opportunity' and record_id = named_opportunity_id
    where from_at <= $as_of and until_at > $as_of and occurred_at <= merged_at
        and event_type in ('OpportunityOpened', 'OpportunityReopened', 'OpportunityLost')
),
of_merged as (
    select event_type, event_id from undone
    union all
    select distinct won.event_type, won.event_id
    from reported as won
    join undone using (named_opportunity_id)
    where won.event_type = 'OpportunityWon' and undone.occurred_at > won.occurred_at
)
select
    opportunity_id,
    event_type,
    event_id,
    occurred_at,
    is_day_only,
    recorded_at,
    {'occurred_at': occurred_at, 'rank': rank, 'recorded_at': recorded_at, 'event_id': event_id} as place,
    of_merged.event_id is not null as is_of_merged,
    account_id,
    lead_id,
    handoff_id,
    owner,
    stage,
    probability,
    amount,
    currency,
    closes_on,
    reason_code
from reported
left join of_merged using (event_type, event_id)
