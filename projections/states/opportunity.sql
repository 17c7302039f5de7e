-- state:  opportunity
-- grain:  one row per opportunity
-- key:    opportunity_id
-- reads:  facts.opportunity_opened, facts.opportunity_stage_entered, facts.opportunity_revised,
--         facts.opportunity_won, facts.opportunity_lost
-- says:   how a deal began, what it is worth now, where it stands, and how it ended
-- columns:
--   opened   min  the opening, with account, lead, handoff and owner
--   stage    max  the stage it was last in
--   worth    max  the amount it was last given
--   closing  max  the closing day it was last given
--   outcome  max  the last won or lost
select
    opportunity_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'account_id': account_id, 'lead_id': lead_id,
     'handoff_id': handoff_id, 'owner': owner} as opened,
    case when stage is not null
         then {'occurred_at': occurred_at, 'event_id': event_id, 'stage': stage, 'probability': null::double}
    end as stage,
    case when amount is not null
         then {'occurred_at': occurred_at, 'event_id': event_id, 'amount': amount, 'currency': currency}
    end as worth,
    case when closes_on is not null
         then {'occurred_at': occurred_at, 'event_id': event_id, 'closes_on': closes_on}
    end as closing
from facts.opportunity_opened
union all by name
select
    opportunity_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'stage': stage, 'probability': probability} as stage
from facts.opportunity_stage_entered
union all by name
select
    opportunity_id,
    case when amount is not null
         then {'occurred_at': occurred_at, 'event_id': event_id, 'amount': amount, 'currency': currency}
    end as worth,
    case when closes_on is not null
         then {'occurred_at': occurred_at, 'event_id': event_id, 'closes_on': closes_on}
    end as closing
from facts.opportunity_revised
union all by name
select
    opportunity_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'amount': amount, 'currency': currency} as worth,
    {'occurred_at': occurred_at, 'event_id': event_id, 'status': 'won', 'reason': null::varchar} as outcome
from facts.opportunity_won
union all by name
select
    opportunity_id,
    {'occurred_at': occurred_at, 'event_id': event_id, 'status': 'lost', 'reason': reason_code} as outcome
from facts.opportunity_lost
