-- view:   condition_period
-- grain:  one row per lead, playbook version, condition of its definition, and time in which the condition holds
-- key:    lead_id, playbook_version, condition, holds_from
-- reads:  funnel.lead, resolved.lead_profiled, resolved.touch_recorded, resolved.buying_group_member_identified,
--         playbook.all_version, playbook.all_criterion
-- says:   when a lead meets which required condition of the definition of a qualified lead
-- means:  The required fit criteria of a version are one condition: a profile decides them together. Each other
--         required criterion is a condition of its own. See qualification for what each kind of criterion asks.
--         Intent is looked at only for leads that met the fit criteria at some time: without these no lead
--         qualifies.
-- columns:
--   lead_id           the lead; of merged ones the one that survives
--   playbook_version  the version whose condition it is
--   condition         fit, or the position of the criterion in the version
--   holds_from        from when the condition holds while the version is in force
--   holds_until       until when: the first instant at which it no longer does; infinity when it still does
--   conditions        how many conditions the version has
with
lead as materialized (
    select lead_id, account_id, first_seen_at from funnel.lead
),
required as materialized (
    select playbook_version, position, kind, attribute, one_of, at_least, at_most,
        list_distinct(activities) as activities, list_distinct(roles) as roles, needed, within_us
    from playbook.all_criterion
    where is_required
),
version as materialized (
    select
        playbook_version,
        coalesce(in_force_from, '-infinity'::timestamptz) as in_force_from,
        coalesce(in_force_until, 'infinity'::timestamptz) as in_force_until,
        count(*) filter (where kind = 'fit') as fits,
        count(*) filter (where kind <> 'fit') + (fits > 0)::integer as conditions
    from playbook.all_version
    join required using (playbook_version)
    where in_force_from is null or in_force_from <= $as_of
    group by all
),
-- An attribute that a profile leaves empty stays what it was.
profile as (
    select
        lead_id,
        occurred_at as known_from,
        coalesce(lead(occurred_at) over profiles, 'infinity'::timestamptz) as known_until,
        last_value(job_role ignore nulls) over until_then as job_role,
        last_value(industry ignore nulls) over until_then as industry,
        last_value(country ignore nulls) over until_then as country,
        last_value(employees ignore nulls) over until_then as employees,
        last_value(fit_score ignore nulls) over until_then as fit_score
    from resolved.lead_profiled
    window
        profiles as (partition by lead_id order by occurred_at, event_id),
        until_then as (partition by lead_id order by occurred_at, event_id rows unbounded preceding)
),
fit as materialized (
    select lead_id, playbook_version, 'fit' as condition, known_from as holds_from, known_until as holds_until
    from profile
    join version on known_from < in_force_until and known_until > in_force_from
    join required using (playbook_version)
    where known_from < known_until and kind = 'fit' and case attribute
        when 'job_role' then list_contains(one_of, job_role)
        when 'industry' then list_contains(one_of, industry)
        when 'country' then list_contains(one_of, country)
        when 'employees' then employees between coalesce(at_least, employees) and coalesce(at_most, employees)
        when 'fit_score' then fit_score between coalesce(at_least, fit_score) and coalesce(at_most, fit_score)
    end
    group by lead_id, playbook_version, holds_from, holds_until, fits
    having count(*) = fits
),
fitting_lead as (
    select distinct lead_id, playbook_version from fit
    union all
    select lead_id, playbook_version from lead cross join version where fits = 0
),
-- Enough touches within the time; the next touch begins a period of its own.
intent as (
    select
        lead_id, playbook_version, position::varchar as condition,
        occurred_at as holds_from,
        least(
            lead(occurred_at) over touches,
            lag(occurred_at, needed - 1) over touches + to_microseconds(within_us),
            'infinity'::timestamptz
        ) as holds_until
    from resolved.touch_recorded
    join (
        select playbook_version, position, needed, within_us, unnest(activities) as activity
        from required
        where kind = 'intent'
    ) as wanted using (activity)
    join fitting_lead using (lead_id, playbook_version)
    where is_inbound and not is_automated
    window touches as (partition by playbook_version, position, lead_id order by occurred_at)
    qualify row_number() over touches >= needed
),
person as (
    select playbook_version, position, needed, account_id, contact_id, min(occurred_at) as found_at
    from resolved.buying_group_member_identified
    join (
        select playbook_version, position, needed, unnest(roles) as role from required where kind = 'group'
    ) as wanted using (role)
    group by all
),
buying_group as (
    select
        lead_id, playbook_version, position::varchar as condition,
        greatest(found_at, first_seen_at) as holds_from, 'infinity'::timestamptz as holds_until
    from lead
    join (
        select playbook_version, position, account_id, found_at
        from person
        qualify needed = row_number() over (
            partition by playbook_version, position, account_id order by found_at)
    ) as last_needed using (account_id)
)
select
    lead_id,
    playbook_version,
    condition,
    greatest(holds_from, in_force_from) as holds_from,
    least(holds_until, in_force_until) as holds_until,
    conditions
from (from fit union all from intent union all from buying_group)
join version using (playbook_version)
where holds_from < holds_until and holds_from < in_force_until and holds_until > in_force_from
