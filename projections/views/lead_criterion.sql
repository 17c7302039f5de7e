-- view:   lead_criterion
-- grain:  one row per lead and criterion of the playbook version that judges it, or one without a criterion where the
--         version has none
-- key:    lead_id, position
-- reads:  funnel.lead_verdict, resolved.lead_profiled, resolved.touch_recorded,
--         resolved.buying_group_member_identified, playbook.all_criterion
-- says:   whether a lead meets each criterion of the playbook, and which event decided it
-- means:  See qualification, which shows these rows as one list for each lead.
-- columns:
--   lead_id           the lead; of merged ones the one that survives
--   account_id        its company, where known
--   segment           the sales region it was captured in, else unknown
--   qualified_at      when it qualified; null until then
--   playbook_version  the version that judges it
--   position          place of the criterion in the version, from 0; null where the version has none
--   criterion         the criterion's name
--   kind              fit, intent or group
--   is_required       true when no lead qualifies without it
--   is_met            whether it was met at qualified_at, else whether it is met at as-of
--   value             the attribute's value, or how many touches or people count
--   event_id          the event that set the value, or was the last one needed
--   decided_at        when that event happened
with
verdict as materialized (
    select lead_id, account_id, segment, qualified_at, playbook_version,
        coalesce(qualified_at, $as_of) as judged_at
    from funnel.lead_verdict
),
-- Each attribute as last reported by then, with the event that reported it.
profile as (
    select
        lead_id,
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
    from resolved.lead_profiled
    join verdict using (lead_id)
    where occurred_at <= judged_at
    group by lead_id
),
touch as (
    select
        lead_id, position, needed, occurred_at, event_id,
        row_number() over (partition by lead_id, position order by occurred_at, event_id) as number
    from resolved.touch_recorded
    join verdict using (lead_id)
    join (
        select playbook_version, position, needed, within_us, unnest(list_distinct(activities)) as activity
        from playbook.all_criterion
        where kind = 'intent'
    ) as wanted using (playbook_version, activity)
    where is_inbound and not is_automated
        and occurred_at <= judged_at and occurred_at > judged_at - to_microseconds(within_us)
),
person as (
    select playbook_version, position, needed, account_id, contact_id,
        min({'at': occurred_at, 'event_id': event_id}) as found
    from resolved.buying_group_member_identified
    join (
        select playbook_version, position, needed, unnest(list_distinct(roles)) as role
        from playbook.all_criterion
        where kind = 'group'
    ) as wanted using (role)
    group by all
),
member as (
    select
        playbook_version, position, needed, account_id, found.at as occurred_at, found.event_id as event_id,
        row_number() over (partition by playbook_version, position, account_id order by found) as number
    from person
),
-- Touches and people that count, and the one that was the last needed.
counted as (
    select
        lead_id, position,
        count(*) as counts,
        any_value({'at': occurred_at, 'event_id': event_id}) filter (where number = needed) as last_needed
    from (
        select lead_id, position, needed, occurred_at, event_id, number from touch
        union all
        select lead_id, position, needed, occurred_at, event_id, number
        from member
        join verdict using (account_id, playbook_version)
        where occurred_at <= judged_at
    )
    group by lead_id, position
),
criterion as (
    select verdict.*, criterion.* exclude (playbook_version),
        case attribute
            when 'job_role' then job_role
            when 'industry' then industry
            when 'country' then country
            when 'employees' then employees
            when 'fit_score' then fit_score
        end as known
    from verdict
    left join playbook.all_criterion as criterion using (playbook_version)
    left join profile using (lead_id)
)
select
    lead_id,
    account_id,
    segment,
    qualified_at,
    playbook_version,
    position,
    criterion,
    kind,
    is_required,
    case
        when kind <> 'fit' then coalesce(counts, 0) >= needed
        when attribute in ('employees', 'fit_score')
            then coalesce(amount between coalesce(at_least, amount) and coalesce(at_most, amount), false)
        when kind = 'fit' then coalesce(list_contains(one_of, known.value), false)
    end as is_met,
    case when kind <> 'fit' then coalesce(counts, 0)::varchar else known.value end as value,
    case when kind <> 'fit' then last_needed.event_id else known.event_id end as event_id,
    case when kind <> 'fit' then last_needed.at else known.at end as decided_at
from (select *, try_cast(known.value as bigint) as amount from criterion) as criterion
left join counted using (lead_id, position)
