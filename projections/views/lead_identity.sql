-- view:   lead_identity
-- grain:  one row per lead that was merged into another
-- key:    lead_id
-- reads:  facts.leads_merged
-- says:   which lead a merged one lives on as; every number counts the one that survives
-- means:  A lead that was merged into several others belongs to the first of them, by the time of the merge
--         (then by event id); later merges of it change nothing. Merges are followed to the end: a into b and
--         b into c make both of them c. Merges in a circle (a into b, b into a) leave the lead whose merge is
--         the latest of the circle. A lead merged into itself, and merges after as-of, do not count.
-- columns:
--   lead_id            the lead that was merged away
--   surviving_lead_id  the lead it lives on as
--   into_lead_id       the lead it was merged into, which may have been merged on itself
--   merged_at          when it was merged
--   event_id           the LeadsMerged that decided it
with recursive
merged as (
    select merged_lead_id as lead_id,
        min({'at': occurred_at, 'event_id': event_id, 'into_lead_id': lead_id}) as merge
    from facts.leads_merged
    where merged_lead_id <> lead_id and occurred_at <= $as_of
    group by merged_lead_id
),
-- From each merged lead from merge to merge, until a lead that is not merged, or one met before.
walk(lead_id, met, merges, next_lead_id) as (
    select
        lead_id, [lead_id], [{'at': merge.at, 'event_id': merge.event_id, 'lead_id': lead_id}],
        merge.into_lead_id
    from merged
    union all
    select
        walk.lead_id,
        list_append(walk.met, merged.lead_id),
        list_append(walk.merges,
            {'at': merged.merge.at, 'event_id': merged.merge.event_id, 'lead_id': merged.lead_id}),
        merged.merge.into_lead_id
    from walk
    join merged on merged.lead_id = walk.next_lead_id
    where not list_contains(walk.met, walk.next_lead_id)
),
ended as (
    select lead_id,
        case when list_contains(met, next_lead_id)
             then list_max(merges[list_position(met, next_lead_id):]).lead_id
             else next_lead_id
        end as surviving_lead_id
    from walk
    where list_contains(met, next_lead_id) or next_lead_id not in (select lead_id from merged)
)
select
    lead_id,
    surviving_lead_id,
    merge.into_lead_id as into_lead_id,
    merge.at as merged_at,
    merge.event_id as event_id
from ended
join merged using (lead_id)
where lead_id <> surviving_lead_id
