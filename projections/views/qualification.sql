-- view:   qualification
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- reads:  funnel.lead_criterion
-- says:   whether a lead is qualified, since when, and for each criterion of the playbook what decided it
-- means:  A lead is qualified at the first moment at which all required criteria of the playbook then in force
--         hold together; what changes later does not undo it, and the verdict stays with that version. A
--         version without a required criterion qualifies nobody. fit: the attribute as last reported (a null leaves
--         what was known) is one of the wanted values or lies between the bounds; unknown is not met. intent:
--         enough inbound touches by a human of the wanted kinds in the time that ends with the moment; one
--         exactly as old as that time is out. group: enough people of the lead's account identified in one of
--         the wanted roles, ever; a person counts in every role they were found in. The lead's account is the
--         first one named by its capture, profile, offer or deal. Merged leads are judged as one.
-- columns:
--   lead_id            the lead; of merged ones the one that survives
--   account_id         its company, where known
--   segment            the sales region it was captured in, else unknown
--   is_qualified       true once all required criteria held together
--   qualified_at       the first moment they did; null until then
--   playbook_version   the playbook in force at that moment; of the others, the one in force at as-of
--   criteria_met       required criteria that are met
--   criteria_required  required criteria there are
--   criteria           each criterion in the playbook's order, as it stood at qualified_at, else as it stands at
--                      as-of: criterion, kind, is_required, is_met, value, event_id and decided_at of the event
--                      that set the value or was the last one needed
select
    lead_id,
    account_id,
    segment,
    qualified_at is not null as is_qualified,
    qualified_at,
    playbook_version,
    count(*) filter (where is_required and is_met) as criteria_met,
    count(*) filter (where is_required) as criteria_required,
    -- The position comes first, for it is what the list is sorted by: far faster than a list with an order.
    coalesce(list_transform(
        list_sort(list({
            'position': position, 'criterion': criterion, 'kind': kind, 'is_required': is_required,
            'is_met': is_met, 'value': value, 'event_id': event_id, 'decided_at': decided_at
        }) filter (where criterion is not null)),
        lambda judged: {
            'criterion': judged.criterion, 'kind': judged.kind, 'is_required': judged.is_required,
            'is_met': judged.is_met, 'value': judged.value, 'event_id': judged.event_id,
            'decided_at': judged.decided_at
        }
    ), []) as criteria
from funnel.lead_criterion
group by lead_id, account_id, segment, qualified_at, playbook_version
