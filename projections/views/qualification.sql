-- view:   qualification
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- reads:  funnel.lead_identity, facts.lead_captured, facts.lead_profiled, facts.touch_recorded,
--         facts.handoff_offered, facts.opportunity_opened, facts.buying_group_member_identified,
--         playbook.all_version, playbook.all_criterion, playbook.version
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
told as (
    select 'capture' as about, lead_id, occurred_at, event_id, account_id, region from facts.lead_captured
    union all by name
    select 'profile' as about, lead_id, occurred_at, event_id, account_id, job_role, industry, country,
        employees, fit_score
    from facts.lead_profiled
    union all by name
    select 'touch' as about, lead_id, occurred_at, event_id, activity,
        is_inbound and not is_automated as is_signal
    from facts.touch_recorded
    union all by name
    select 'offer' as about, lead_id, occurred_at, event_id, account_id from facts.handoff_offered
    union all by name
    select 'deal' as about, lead_id, occurred_at, event_id, account_id from facts.opportunity_opened
),
own as (
    select told.* replace (coalesce(surviving_lead_id, told.lead_id) as lead_id)
    from told
    left join funnel.lead_identity as identity on identity.lead_id = told.lead_id
    where told.occurred_at <= $as_of
),
lead as (
    select lead_id,
        min(occurred_at) filter (where about <> 'deal') as born_at,
        (min({'at': occurred_at, 'event_id': event_id, 'named': account_id})
            filter (where account_id is not null)).named as account_id,
        coalesce((min({'at': occurred_at, 'event_id': event_id, 'named': region})
            filter (where region is not null)).named, 'unknown') as segment
    from own
    group by lead_id
    having born_at is not null
),
version as (
    select playbook_version, coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from
    from playbook.all_version
),
criterion as (
    select playbook_version, position, criterion, kind, is_required, attribute, one_of, at_least, at_most,
        list_distinct(activities) as activities, list_distinct(roles) as roles, needed, within_us
    from playbook.all_criterion
),
-- What was known of a lead after each moment it was profiled: each attribute with the event that set it.
known as (
    select lead_id, occurred_at,
        last_value(case when job_role is not null
            then {'value': job_role, 'event_id': event_id, 'at': occurred_at} end ignore nulls)
            over told as job_role,
        last_value(case when industry is not null
            then {'value': industry, 'event_id': event_id, 'at': occurred_at} end ignore nulls)
            over told as industry,
        last_value(case when country is not null
            then {'value': country, 'event_id': event_id, 'at': occurred_at} end ignore nulls)
            over told as country,
        last_value(case when employees is not null
            then {'value': employees::varchar, 'event_id': event_id, 'at': occurred_at} end ignore nulls)
            over told as employees,
        last_value(case when fit_score is not null
            then {'value': fit_score::varchar, 'event_id': event_id, 'at': occurred_at} end ignore nulls)
            over told as fit_score
    from own
    where about = 'profile'
    window told as (partition by lead_id order by occurred_at, event_id rows unbounded preceding)
    qualify row_number() over (partition by lead_id, occurred_at order by event_id desc) = 1
),
-- The touches and the people a criterion counts, numbered; one row per instant with the last number.
signal as (
    select playbook_version, criterion, lead_id, occurred_at, event_id,
        row_number() over (
            partition by playbook_version, criterion, lead_id order by occurred_at, event_id) as number
    from own
    join (
        select playbook_version, criterion, unnest(activities) as activity
        from criterion
        where kind = 'intent'
    ) as wanted using (activity)
    where is_signal
),
signalled as (
    select playbook_version, criterion, lead_id, occurred_at, max(number) as number
    from signal
    group by all
),
person as (
    select playbook_version, criterion, account_id, contact_id,
        min({'at': occurred_at, 'event_id': event_id}) as found
    from facts.buying_group_member_identified as told
    join (
        select playbook_version, criterion, unnest(roles) as role
        from criterion
        where kind = 'group'
    ) as wanted using (role)
    where told.occurred_at <= $as_of
    group by all
),
member as (
    select playbook_version, criterion, account_id, found.at as occurred_at, found.event_id as event_id,
        row_number() over (
            partition by playbook_version, criterion, account_id order by found) as number
    from person
),
grouped as (
    select playbook_version, criterion, account_id, occurred_at, max(number) as number
    from member
    group by all
),
-- The moments at which a criterion can begin to hold, and as-of.
moment as (
    select lead_id, occurred_at as asked_at from own where about = 'profile'
    union select lead_id, occurred_at from signalled
    union
    select lead.lead_id, greatest(member.occurred_at, lead.born_at)
    from member
    join criterion using (playbook_version, criterion)
    join lead on lead.account_id = member.account_id
    where member.number = criterion.needed
    union
    select lead.lead_id, version.in_force_from
    from lead
    join version on version.in_force_from > lead.born_at and version.in_force_from <= $as_of
    union select lead_id, $as_of from lead
),
asked as (
    select moment.lead_id, lead.account_id, moment.asked_at, version.playbook_version
    from moment
    join lead using (lead_id)
    asof join version on moment.asked_at >= version.in_force_from
),
fit as (
    select lead_id, asked_at, position, told.value as value, told.event_id as event_id, told.at as decided_at,
        coalesce(case when attribute in ('employees', 'fit_score')
            then told.value::bigint between coalesce(at_least, told.value::bigint)
                and coalesce(at_most, told.value::bigint)
            else list_contains(one_of, told.value) end, false) as is_met
    from (
        select asked.lead_id, asked.asked_at, criterion.*,
            case attribute
                when 'job_role' then known.job_role
                when 'industry' then known.industry
                when 'country' then known.country
                when 'employees' then known.employees
                when 'fit_score' then known.fit_score
            end as told
        from asked
        asof left join known on known.lead_id = asked.lead_id and asked.asked_at >= known.occurred_at
        join criterion on criterion.playbook_version = asked.playbook_version and criterion.kind = 'fit'
    )
),
counted as (
    select asked.lead_id, asked.asked_at, criterion.playbook_version, criterion.criterion, criterion.position,
        criterion.needed, asked.asked_at - to_microseconds(criterion.within_us) as since
    from asked
    join criterion using (playbook_version)
    where kind = 'intent'
),
intent as (
    select counted.lead_id, counted.asked_at, counted.position, counted.found::varchar as value,
        signal.event_id, signal.occurred_at as decided_at, found >= needed as is_met
    from (
        select counted.*, until - coalesce(signalled.number, 0) as found,
            case when found >= needed then until - found + needed end as number
        from (
            select counted.*, coalesce(signalled.number, 0) as until
            from counted
            asof left join signalled
                on signalled.playbook_version = counted.playbook_version
                and signalled.criterion = counted.criterion and signalled.lead_id = counted.lead_id
                and counted.asked_at >= signalled.occurred_at
        ) as counted
        asof left join signalled
            on signalled.playbook_version = counted.playbook_version
            and signalled.criterion = counted.criterion and signalled.lead_id = counted.lead_id
            and counted.since >= signalled.occurred_at
    ) as counted
    left join signal
        on signal.playbook_version = counted.playbook_version and signal.criterion = counted.criterion
        and signal.lead_id = counted.lead_id and signal.number = counted.number
),
known_group as (
    select found.lead_id, found.asked_at, found.position, found.number::varchar as value, member.event_id,
        member.occurred_at as decided_at, found.number >= needed as is_met
    from (
        select asked.*, coalesce(grouped.number, 0) as number,
            case when grouped.number >= needed then needed end as last_number
        from (
            select asked.lead_id, asked.account_id, asked.asked_at, criterion.*
            from asked
            join criterion using (playbook_version)
            where kind = 'group'
        ) as asked
        asof left join grouped
            on grouped.playbook_version = asked.playbook_version and grouped.criterion = asked.criterion
            and grouped.account_id = asked.account_id and asked.asked_at >= grouped.occurred_at
    ) as found
    left join member
        on member.playbook_version = found.playbook_version and member.criterion = found.criterion
        and member.account_id = found.account_id and member.number = found.last_number
),
held as (
    select lead_id, asked_at, position, is_met, value, event_id, decided_at from fit
    union all select lead_id, asked_at, position, is_met, value, event_id, decided_at from intent
    union all select lead_id, asked_at, position, is_met, value, event_id, decided_at from known_group
),
judged as (
    select asked.lead_id, asked.asked_at, asked.playbook_version,
        count(*) filter (where is_required) as criteria_required,
        count(*) filter (where is_required and is_met) as criteria_met
    from asked
    join criterion using (playbook_version)
    join held using (lead_id, asked_at, position)
    group by all
),
-- At as-of all required criteria hold only if they did at a moment before: nothing begins to hold by itself.
verdict as (
    select lead_id,
        min(asked_at) filter (where criteria_required > 0 and criteria_met = criteria_required)
            as qualified_at
    from judged
    group by lead_id
),
answers as (
    select held.lead_id, asked.playbook_version,
        count(*) filter (where is_required and is_met) as criteria_met,
        count(*) filter (where is_required) as criteria_required,
        list_transform(
            list_sort(list({'position': criterion.position, 'said': {
                'criterion': criterion.criterion, 'kind': criterion.kind, 'is_required': criterion.is_required,
                'is_met': held.is_met, 'value': held.value, 'event_id': held.event_id,
                'decided_at': held.decided_at
            }})),
            lambda answer: answer.said) as criteria
    from verdict
    join asked on asked.lead_id = verdict.lead_id and asked.asked_at = coalesce(qualified_at, $as_of)
    join criterion on criterion.playbook_version = asked.playbook_version
    join held
        on held.lead_id = asked.lead_id and held.asked_at = asked.asked_at and held.position = criterion.position
    group by held.lead_id, asked.playbook_version
)
select
    lead.lead_id,
    lead.account_id,
    lead.segment,
    qualified_at is not null as is_qualified,
    qualified_at,
    coalesce(answers.playbook_version, version.playbook_version) as playbook_version,
    coalesce(criteria_met, 0) as criteria_met,
    coalesce(criteria_required, 0) as criteria_required,
    coalesce(criteria, []) as criteria
from lead
cross join playbook.version as version
left join verdict using (lead_id)
left join answers using (lead_id)
