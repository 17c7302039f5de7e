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
