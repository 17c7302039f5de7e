-- derived: record_identity
-- grain:  one row per merged record and period in which it counts as another
-- key:    kind, record_id, from_at
-- reads:  facts.leads_merged
-- says:   which record a merged one counts as, and since when; kept as a table and computed again with every merge
-- means:  Merges are followed to the end: a into b and b into c make both of them c, each from the moment at which
--         all merges on the way have happened. A record that was merged into several others belongs to the first of
--         them, by the time of the merge (then by event id). Merges in a circle (a into b, b into a) leave the record
--         whose merge is the latest of the circle.
-- columns:
--   kind          lead
--   record_id     the record that was merged away
--   surviving_id  the record it counts as
--   from_at       since when, by event time
--   until_at      until when; infinity while it lasts
--   into_id       the record that the first merge names, which may have been merged on itself
--   merged_at     when it was merged
--   event_id      the event that merged it
with recursive
merge as (
    select 'lead' as kind, merged_lead_id as record_id,
        min({'at': occurred_at, 'event_id': event_id, 'into_id': lead_id}) as first
    from facts.leads_merged
    where merged_lead_id <> lead_id
    group by merged_lead_id
),
-- From each merged record from merge to merge, until one that is not merged, or one that is on the path already.
path(kind, record_id, met, latest, next_id) as (
    select kind, record_id, [record_id], {'at': first.at, 'event_id': first.event_id, 'record_id': record_id},
        first.into_id
    from merge
    union all
    select path.kind, path.record_id, list_append(path.met, merge.record_id),
        greatest(path.latest,
            {'at': merge.first.at, 'event_id': merge.first.event_id, 'record_id': merge.record_id}),
        merge.first.into_id
    from path
    join merge on merge.kind = path.kind and merge.record_id = path.next_id
    where not list_contains(path.met, path.next_id)
),
-- A path that comes back to its start is a circle: its latest merge does not count.
counted as (
    select merge.*
    from merge
    anti join (select distinct kind, latest.record_id as record_id from path where next_id = record_id) as circle
        on circle.kind = merge.kind and circle.record_id = merge.record_id
),
step(kind, record_id, surviving_id, from_at) as (
    select kind, record_id, first.into_id, first.at
    from counted
    union all
    select step.kind, step.record_id, counted.first.into_id, greatest(step.from_at, counted.first.at)
    from step
    join counted on counted.kind = step.kind and counted.record_id = step.surviving_id
)
select
    step.kind,
    step.record_id,
    step.surviving_id,
    step.from_at,
    coalesce(following.first.at, 'infinity'::timestamptz) as until_at,
    own.first.into_id as into_id,
    own.first.at as merged_at,
    own.first.event_id as event_id
from step
join counted as own on own.kind = step.kind and own.record_id = step.record_id
left join counted as following on following.kind = step.kind and following.record_id = step.surviving_id
where following.first.at is null or following.first.at > step.from_at
