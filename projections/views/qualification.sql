-- view:   qualification
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- reads:  funnel.lead_verdict, funnel.lead_identity, facts.lead_profiled, facts.touch_recorded,
--         facts.buying_group_member_identified, playbook.all_criterion
-- says:   whether a lead is qualified, since when, and for each criterion of the playbook what decided it
-- means:  A lead is qualified at the first moment at which all required criteria of the playbook then in force
--         hold together; what changes later does not undo it, and the verdict stays with that version. A
--         version without a required criterion qualifies nobody. fit: the attribute as last told (a null leaves
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
with
identity as materialized (
    select lead_id, surviving_lead_id from funnel.lead_identity
),
verdict as materialized (
    select *, coalesce(qualified_at, $as_of) as asked_at from funnel.lead_verdict
),
asked as (
    select lead_id, account_id, asked_at, criterion.*
    from verdict
    join playbook.all_criterion as criterion using (playbook_version)
),
-- What was known of a lead at that moment: each attribute as last told, with the event that told it.
known as (
    select
        verdict.lead_id,
        max({'at': occurred_at, 'event_id': event_id, 'value': job_role})
            filter (where job_role is not null) as job_role,
        max({'at': occurred_at, 'event_id': event_id, 'value': industry})
            filter (where industry is not null) as industry,
        max({'at': occurred_at, 'event_id': event_id, 'value': country})
            filter (where country is not null) as country,
        max({'at': occurred_at, 'event_id': event_id, 'value': employees::varchar})
            filter (where employees is not null) as employees,
        max({'at': occurred_at, 'event_id': event_id, 'value': fit_score::varchar})
            filter (where fit_score is not null) as fit_score
    from facts.lead_profiled as told
    left join identity on identity.lead_id = told.lead_id
    join verdict on verdict.lead_id = coalesce(surviving_lead_id, told.lead_id)
    where occurred_at <= asked_at
    group by verdict.lead_id
),
fit as (
    select lead_id, position, criterion, kind, is_required,
        coalesce(case when attribute in ('employees', 'fit_score')
            then told.value::bigint between coalesce(at_least, told.value::bigint)
                and coalesce(at_most, told.value::bigint)
            else list_contains(one_of, told.value) end, false) as is_met,
        told.value as value, told.event_id as event_id, told.at as decided_at
    from (
        select asked.*,
            case attribute
                when 'job_role' then known.job_role
                when 'industry' then known.industry
                when 'country' then known.country
                when 'employees' then known.employees
                when 'fit_score' then known.fit_score
            end as told
        from asked
        left join known using (lead_id)
        where kind = 'fit'
    )
),
-- The touches a criterion counts at that moment, and the people it ever counts, numbered.
signal as (
    select
        verdict.lead_id, position, needed, occurred_at, event_id,
        row_number() over (partition by verdict.lead_id, position order by occurred_at, event_id) as number
    from facts.touch_recorded as told
    left join identity on identity.lead_id = told.lead_id
    join verdict on verdict.lead_id = coalesce(surviving_lead_id, told.lead_id)
    join (
        select playbook_version, position, needed, within_us, unnest(list_distinct(activities)) as activity
        from playbook.all_criterion
        where kind = 'intent'
    ) as wanted using (playbook_version, activity)
    where is_inbound and not is_automated
        and occurred_at <= asked_at and occurred_at > asked_at - to_microseconds(within_us)
),
person as (
    select playbook_version, position, needed, account_id, contact_id,
        min({'at': occurred_at, 'event_id': event_id}) as found
    from facts.buying_group_member_identified
    join (
        select playbook_version, position, needed, unnest(list_distinct(roles)) as role
        from playbook.all_criterion
        where kind = 'group'
    ) as wanted using (role)
    where occurred_at <= $as_of
    group by all
),
member as (
    select
        playbook_version, position, needed, account_id, found.at as occurred_at, found.event_id as event_id,
        row_number() over (partition by playbook_version, position, account_id order by found) as number
    from person
),
counted as (
    select
        lead_id, position,
        count(*) as found,
        any_value(event_id) filter (where number = needed) as event_id,
        any_value(occurred_at) filter (where number = needed) as decided_at
    from (
        select lead_id, position, needed, occurred_at, event_id, number from signal
        union all
        select lead_id, position, needed, occurred_at, event_id, number
        from member
        join verdict using (account_id, playbook_version)
        where occurred_at <= asked_at
    )
    group by lead_id, position
),
held as (
    select * from fit
    union all by name
    select
        lead_id, asked.position, criterion, kind, is_required,
        coalesce(found, 0) >= needed as is_met, coalesce(found, 0)::varchar as value, event_id, decided_at
    from asked
    left join counted using (lead_id, position)
    where kind <> 'fit'
),
-- The position comes first, for it is what the list is sorted by: far faster than a list with an order.
described as (
    select
        lead_id,
        count(*) filter (where is_required and is_met) as criteria_met,
        count(*) filter (where is_required) as criteria_required,
        list_sort(list({
            'position': position, 'criterion': criterion, 'kind': kind, 'is_required': is_required,
            'is_met': is_met, 'value': value, 'event_id': event_id, 'decided_at': decided_at
        })) as criteria
    from held
    group by lead_id
)
select
    lead_id,
    account_id,
    segment,
    is_qualified,
    qualified_at,
    playbook_version,
    coalesce(criteria_met, 0) as criteria_met,
    coalesce(criteria_required, 0) as criteria_required,
    coalesce(list_transform(criteria, lambda held: {
        'criterion': held.criterion, 'kind': held.kind, 'is_required': held.is_required,
        'is_met': held.is_met, 'value': held.value, 'event_id': held.event_id, 'decided_at': held.decided_at
    }), []) as criteria
from verdict
left join described using (lead_id)
