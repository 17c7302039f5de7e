-- The states of projections/states/*.sql for the ClickHouse peer: one AggregatingMergeTree table each,
-- and a materialized view for every event that feeds it. The least of structs that begin with
-- (occurred_at, event_id) is argMin by these two; the greatest and the set union likewise. Where a struct
-- may be missing, its key is the epoch, which any real one beats.

create table funnel.handoff (
    handoff_id String,
    offer AggregateFunction(argMin,
        Tuple(DateTime64(6, 'UTC'), String, DateTime64(6, 'UTC'), String, Nullable(String),
              LowCardinality(String), LowCardinality(String), LowCardinality(Nullable(String)),
              LowCardinality(Nullable(String)), Nullable(Float64), Nullable(String)),
        Tuple(DateTime64(6, 'UTC'), String)),
    first_answer AggregateFunction(argMin,
        Tuple(DateTime64(6, 'UTC'), String, String, LowCardinality(Nullable(String))),
        Tuple(DateTime64(6, 'UTC'), String)),
    last_answer AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, String, LowCardinality(Nullable(String))),
        Tuple(DateTime64(6, 'UTC'), String)),
    accepted_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    last_return AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, LowCardinality(String)), Tuple(DateTime64(6, 'UTC'), String)),
    reassignments AggregateFunction(groupUniqArray,
        Tuple(DateTime64(6, 'UTC'), String, LowCardinality(String))),
    acknowledgement AggregateFunction(argMin,
        Tuple(DateTime64(6, 'UTC'), String, LowCardinality(String), LowCardinality(String)),
        Tuple(DateTime64(6, 'UTC'), String))
) engine = AggregatingMergeTree order by handoff_id;

create materialized view funnel.handoff_1 to funnel.handoff as
select handoff_id,
    argMinState((occurred_at, event_id, recorded_at, lead_id, account_id, from_team, to_team, owner, reason,
                 data_completeness, previous_handoff_id), (occurred_at, event_id)) as offer
from log.handoff_offered group by handoff_id;

create materialized view funnel.handoff_2 to funnel.handoff as
select handoff_id,
    argMinState((occurred_at, event_id, 'accepted', toLowCardinality(toNullable(owner))),
                (occurred_at, event_id)) as first_answer,
    argMaxState((occurred_at, event_id, 'accepted', toLowCardinality(toNullable(owner))),
                (occurred_at, event_id)) as last_answer,
    min(toNullable(occurred_at)) as accepted_at
from log.handoff_accepted group by handoff_id;

create materialized view funnel.handoff_3 to funnel.handoff as
select handoff_id,
    argMinState((occurred_at, event_id, 'returned', owner), (occurred_at, event_id)) as first_answer,
    argMaxState((occurred_at, event_id, 'returned', owner), (occurred_at, event_id)) as last_answer,
    argMaxState((occurred_at, event_id, reason_code), (occurred_at, event_id)) as last_return
from log.handoff_returned group by handoff_id;

create materialized view funnel.handoff_4 to funnel.handoff as
select handoff_id, groupUniqArrayState((occurred_at, event_id, to_owner)) as reassignments
from log.handoff_reassigned group by handoff_id;

create materialized view funnel.handoff_5 to funnel.handoff as
select handoff_id,
    argMinState((occurred_at, event_id, disposition, acknowledged_by), (occurred_at, event_id))
        as acknowledgement
from log.feedback_acknowledged group by handoff_id;

create table funnel.lead (
    lead_id String,
    captured_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    engaged_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    offered_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    accepted_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    reached_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    opened_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    won_at SimpleAggregateFunction(min, Nullable(DateTime64(6, 'UTC'))),
    last_lost_at SimpleAggregateFunction(max, Nullable(DateTime64(6, 'UTC'))),
    last_return_at SimpleAggregateFunction(max, Nullable(DateTime64(6, 'UTC'))),
    last_active_at SimpleAggregateFunction(max, Nullable(DateTime64(6, 'UTC')))
) engine = AggregatingMergeTree order by lead_id;

create materialized view funnel.lead_1 to funnel.lead as
select lead_id, min(toNullable(occurred_at)) as captured_at from log.lead_captured group by lead_id;

create materialized view funnel.lead_2 to funnel.lead as
select lead_id, min(toNullable(occurred_at)) as engaged_at
from log.touch_recorded where is_inbound and not is_automated group by lead_id;

create materialized view funnel.lead_3 to funnel.lead as
select lead_id, min(toNullable(occurred_at)) as offered_at, max(toNullable(occurred_at)) as last_active_at
from log.handoff_offered group by lead_id;

create materialized view funnel.lead_4 to funnel.lead as
select lead_id, min(toNullable(occurred_at)) as accepted_at, max(toNullable(occurred_at)) as last_active_at
from log.handoff_accepted group by lead_id;

create materialized view funnel.lead_5 to funnel.lead as
select lead_id, max(toNullable(occurred_at)) as last_return_at from log.handoff_returned group by lead_id;

create materialized view funnel.lead_6 to funnel.lead as
select lead_id, max(toNullable(occurred_at)) as last_lost_at
from log.feedback_acknowledged where disposition = 'disqualify' group by lead_id;

create materialized view funnel.lead_7 to funnel.lead as
select lead_id, min(toNullable(occurred_at)) as reached_at from log.buyer_reached group by lead_id;

create materialized view funnel.lead_8 to funnel.lead as
select assumeNotNull(log.opportunity_opened.lead_id) as lead_id,
    min(toNullable(occurred_at)) as opened_at, max(toNullable(occurred_at)) as last_active_at
from log.opportunity_opened where log.opportunity_opened.lead_id is not null group by lead_id;

create materialized view funnel.lead_9 to funnel.lead as
select assumeNotNull(log.opportunity_won.lead_id) as lead_id, min(toNullable(occurred_at)) as won_at
from log.opportunity_won where log.opportunity_won.lead_id is not null group by lead_id;

create materialized view funnel.lead_10 to funnel.lead as
select assumeNotNull(log.opportunity_lost.lead_id) as lead_id, max(toNullable(occurred_at)) as last_lost_at
from log.opportunity_lost where log.opportunity_lost.lead_id is not null group by lead_id;

create table funnel.opportunity (
    opportunity_id String,
    opened AggregateFunction(argMin,
        Tuple(DateTime64(6, 'UTC'), String, Nullable(String), Nullable(String), Nullable(String),
              LowCardinality(Nullable(String))),
        Tuple(DateTime64(6, 'UTC'), String)),
    stage AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, LowCardinality(Nullable(String)), Nullable(Float64)),
        Tuple(DateTime64(6, 'UTC'), String)),
    worth AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, Nullable(Decimal(18, 4)), LowCardinality(Nullable(String))),
        Tuple(DateTime64(6, 'UTC'), String)),
    closing AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, Nullable(Date32)), Tuple(DateTime64(6, 'UTC'), String)),
    outcome AggregateFunction(argMax,
        Tuple(DateTime64(6, 'UTC'), String, String, LowCardinality(Nullable(String))),
        Tuple(DateTime64(6, 'UTC'), String))
) engine = AggregatingMergeTree order by opportunity_id;

create materialized view funnel.opportunity_1 to funnel.opportunity as
select opportunity_id,
    argMinState((occurred_at, event_id, toNullable(account_id), lead_id, handoff_id, owner),
                (occurred_at, event_id)) as opened,
    argMaxState((occurred_at, event_id, log.opportunity_opened.stage, null::Nullable(Float64)),
                if(log.opportunity_opened.stage is null, (toDateTime64(0, 6, 'UTC'), ''),
                   (occurred_at, event_id))) as stage,
    argMaxState((occurred_at, event_id, amount, currency),
                if(amount is null, (toDateTime64(0, 6, 'UTC'), ''), (occurred_at, event_id))) as worth,
    argMaxState((occurred_at, event_id, closes_on),
                if(closes_on is null, (toDateTime64(0, 6, 'UTC'), ''), (occurred_at, event_id))) as closing
from log.opportunity_opened group by opportunity_id;

create materialized view funnel.opportunity_2 to funnel.opportunity as
select opportunity_id,
    argMaxState((occurred_at, event_id, toLowCardinality(toNullable(log.opportunity_stage_entered.stage)),
                 probability), (occurred_at, event_id)) as stage
from log.opportunity_stage_entered group by opportunity_id;

create materialized view funnel.opportunity_3 to funnel.opportunity as
select opportunity_id,
    argMaxState((occurred_at, event_id, amount, currency),
                if(amount is null, (toDateTime64(0, 6, 'UTC'), ''), (occurred_at, event_id))) as worth,
    argMaxState((occurred_at, event_id, closes_on),
                if(closes_on is null, (toDateTime64(0, 6, 'UTC'), ''), (occurred_at, event_id))) as closing
from log.opportunity_revised group by opportunity_id;

create materialized view funnel.opportunity_4 to funnel.opportunity as
select opportunity_id,
    argMaxState((occurred_at, event_id, toNullable(amount), toLowCardinality(toNullable(currency))),
                (occurred_at, event_id)) as worth,
    argMaxState((occurred_at, event_id, 'won', toLowCardinality(null::Nullable(String))),
                (occurred_at, event_id)) as outcome
from log.opportunity_won group by opportunity_id;

create materialized view funnel.opportunity_5 to funnel.opportunity as
select opportunity_id,
    argMaxState((occurred_at, event_id, 'lost', toLowCardinality(toNullable(reason_code))),
                (occurred_at, event_id)) as outcome
from log.opportunity_lost group by opportunity_id;
