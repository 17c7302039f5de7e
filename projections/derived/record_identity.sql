-- derived: record_identity
-- grain:  one row per merged record and period in which it counts as another
-- key:    kind, record_id, from_at
-- reads:  facts.leads_merged, facts.leads_unmerged, facts.accounts_merged, facts.opportunities_merged
-- says:   which record a merged one counts as, and since when; kept as a table and computed again with every merge
-- means:  Merges are followed to the end: a into b and b into c make both of them c, each from the moment at which
--         all merges on the way have happened. A record that was merged into several others belongs to the first of
--         them, by the time of the merge (then by event id), until that merge is taken back. Merges in a circle (a
--         into b, b into a) leave the record whose merge is the latest of the circle.
-- columns:
--   kind          lead, account or opportunity
--   record_id     the record that was merged away
--   surviving_id  the record it counts as
--   from_at       since when, by event time
--   until_at      until when; infinity while it lasts
--   into_id       the record that its own merge names, which may have been merged on itself
--   merged_at     when it was merged
--   event_id      the event that merged it
with recursive
merge as (
    select 'lead' as kind, merged_lead_id as record_id, merged.lead_id as into_id, merged.occurred_at as merged_at,
        merged.event_id,
        coalesce(min(unmerged.occurred_at), 'infinity'::timestamptz) as taken_back_at
    from facts.leads_merged as merged
    left join facts.leads_unmerged as unmerged
        on unmerged.lead_id = merged.lead_id and unmerged.unmerged_lead_id = merged.merged_lead_id
        and unmerged.occurred_at >= merged.occurred_at
    group by all
    union all
    select 'account', merged_account_id, account_id, occurred_at, event_id, 'infinity'::timestamptz
    from facts.accounts_merged
    union all
    select 'opportunity', merged_opportunity_id, opportunity_id, occurred_at, event_id, 'infinity'::timestamptz
    from facts.opportunities_merged
),
-- Of several merges of a record the first that has not been taken back counts.
merge_period as (
    select kind, record_id, into_id, merged_at, event_id, taken_back_at as until_at,
        greatest(merged_at, max(taken_back_at) over (
            partition by kind, record_id order by merged_at, event_id
            rows between unbounded preceding and 1 preceding)) as from_at
    from merge
    where record_id <> into_id
    qualify from_at < until_at
),
-- From each merged record from merge to merge, until one that is not merged, or one that is on the path already.
path(kind, record_id, met, latest, next_id, from_at, until_at) as (
    select kind, record_id, [record_id], {'at': from_at, 'event_id': event_id, 'record_id': record_id},
        into_id, from_at, until_at
    from merge_period
    union all
    select path.kind, path.record_id, list_append(path.met, period.record_id),
        greatest(path.latest,
            {'at': period.from_at, 'event_id': period.event_id, 'record_id': period.record_id}),
        period.into_id, greatest(path.from_at, period.from_at), least(path.until_at, period.until_at)
    from path
    join merge_period as period on period.kind = path.kind and period.record_id = path.next_id
    where not list_contains(path.met, path.next_id)
        and greatest(path.from_at, period.from_at) < least(path.until_at, period.until_at)
),
-- A path that comes back to its start is a circle: while it lasts, its latest merge does not count.
circle as (
    select kind, latest.record_id as record_id, latest.event_id as event_id, max(until_at) as until_at
    from path
    where next_id = record_id
    group by all
),
counted as (
    select period.* exclude (from_at), coalesce(circle.until_at, period.from_at) as from_at
    from merge_period as period
    left join circle
        on circle.kind = period.kind and circle.record_id = period.record_id
        and circle.event_id = period.event_id
    where coalesce(circle.until_at, period.from_at) < period.until_at
),
step(kind, record_id, surviving_id, from_at, until_at, into_id, merged_at, event_id) as (
    select kind, record_id, into_id, from_at, until_at, into_id, merged_at, event_id
    from counted
    union all
    select step.kind, step.record_id, counted.into_id, greatest(step.from_at, counted.from_at),
        least(step.until_at, counted.until_at), step.into_id, step.merged_at, step.event_id
    from step
    join counted on counted.kind = step.kind and counted.record_id = step.surviving_id
        and greatest(step.from_at, counted.from_at) < least(step.until_at, counted.until_at)
),
-- When a record that is merged at some time counts as itself.
unmerged_period as (
    select kind, record_id,
        coalesce(lag(until_at) over periods, '-infinity'::timestamptz) as from_at, from_at as until_at
    from counted
    window periods as (partition by kind, record_id order by from_at)
    union all
    select kind, record_id, max(until_at), 'infinity'::timestamptz from counted group by all
)
select
    step.kind,
    step.record_id,
    step.surviving_id,
    greatest(step.from_at, coalesce(itself.from_at, step.from_at)) as from_at,
    least(step.until_at, coalesce(itself.until_at, step.until_at)) as until_at,
    step.into_id,
    step.merged_at,
    step.event_id
from step
left join unmerged_period as itself on itself.kind = step.kind and itself.record_id = step.surviving_id
where greatest(step.from_at, coalesce(itself.from_at, step.from_at))
    < least(step.until_at, coalesce(itself.until_at, step.until_at))
