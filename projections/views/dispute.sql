-- view:   dispute
-- grain:  one row per dispute opened
-- key:    dispute_id
-- reads:  facts.dispute_opened, facts.dispute_resolved
-- says:   what one team holds against a fact or a number, how it was settled, and how long that took
-- means:  The first telling of a dispute stands, and the latest resolution. Days are those of the wall clock.
-- columns:
--   dispute_id      the dispute
--   opened_at       when it was opened
--   opened_by_team  the team that disputes
--   subject_kind    what is disputed: handoff, lead, opportunity, number
--   subject_id      its id or name
--   reason          why, in a sentence
--   resolved_at     when it was settled; null while open
--   resolution      upheld, rejected or corrected
--   resolved_by     who settled it
--   open_days       days it was open, or has been until as-of
--   is_open         true while nobody has settled it
with
opened as (
    select * from facts.dispute_opened
    where occurred_at <= $as_of
    qualify row_number() over (partition by dispute_id order by occurred_at, event_id) = 1
),
resolution as (
    select dispute_id, occurred_at as resolved_at, resolution, resolved_by
    from facts.dispute_resolved
    where occurred_at <= $as_of
    qualify row_number() over (partition by dispute_id order by occurred_at desc, event_id desc) = 1
)
select
    opened.dispute_id,
    opened.occurred_at as opened_at,
    opened.opened_by_team,
    opened.subject_kind,
    opened.subject_id,
    opened.reason,
    resolution.resolved_at,
    resolution.resolution,
    resolution.resolved_by,
    (epoch_us(coalesce(resolution.resolved_at, $as_of)) - epoch_us(opened.occurred_at)) / 86400000000.0::double
        as open_days,
    resolution.dispute_id is null as is_open
from opened
left join resolution using (dispute_id)
