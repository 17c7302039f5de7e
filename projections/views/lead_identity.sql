-- view:   lead_identity
-- grain:  one row per lead that was merged into another
-- key:    lead_id
-- reads:  warehouse.record_identity
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
select
    record_id as lead_id,
    surviving_id as surviving_lead_id,
    into_id as into_lead_id,
    merged_at,
    event_id
from warehouse.record_identity
where kind = 'lead' and from_at <= $as_of and until_at > $as_of
