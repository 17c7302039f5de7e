-- view:   lead_verdict
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- reads:  funnel.lead, funnel.lead_identity, facts.lead_profiled, facts.touch_recorded,
--         facts.buying_group_member_identified, playbook.all_version, playbook.all_criterion, playbook.version
-- says:   whether a lead is qualified, since when, and by which version of the playbook
-- means:  See qualification, which shows these verdicts with what decided each criterion.
-- columns:
--   lead_id            the lead; of merged ones the one that survives
--   account_id         its company, where known
--   segment            the sales region it was captured in, else unknown
--   is_qualified       true once all required criteria held together
--   qualified_at       the first moment they did; null until then
--   playbook_version   the playbook in force at that moment; of the others, the one in force at as-of
with
identity as materialized (
    select lead_id, surviving_lead_id from funnel.lead_identity
),
required as materialized (
    select playbook_version, position, kind, attribute, one_of, at_least, at_most,
        list_distinct(activities) as activities, list_distinct(roles) as roles, needed, within_us
    from playbook.all_criterion
    where is_required
),
-- All fit criteria of a version are one condition: what is known of a lead decides them at once.
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
known as (
    select
        lead_id,
        occurred_at as known_from,
        coalesce(lead(occurred_at) over told, 'infinity'::timestamptz) as known_until,
        last_value(job_role ignore nulls) over until_then as job_role,
        last_value(industry ignore nulls) over until_then as industry,
        last_value(country ignore nulls) over until_then as country,
        last_value(employees ignore nulls) over until_then as employees,
        last_value(fit_score ignore nulls) over until_then as fit_score
    from (
        select coalesce(surviving_lead_id, told.lead_id) as lead_id, occurred_at, event_id,
            job_role, industry, country, employees, fit_score
        from facts.lead_profiled as told
        left join identity on identity.lead_id = told.lead_id
        where occurred_at <= $as_of
    )
    window
        told as (partition by lead_id order by occurred_at, event_id),
        until_then as (partition by lead_id order by occurred_at, event_id rows unbounded preceding)
),
-- From here on: the intervals [holds_from, holds_until) in which a condition holds.
fit as materialized (
    select lead_id, playbook_version, known_from as holds_from, known_until as holds_until
    from known
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
-- Only leads that fit at some time are looked at further.
fitting as (
    select distinct lead_id, playbook_version from fit
    union all
    select lead_id, playbook_version from funnel.lead cross join version where fits = 0
),
intent as (
    select
        lead_id,
        playbook_version,
        occurred_at as holds_from,
        -- The next touch begins an interval of its own.
        least(
            lead(occurred_at) over counted,
            lag(occurred_at, needed - 1) over counted + to_microseconds(within_us),
            'infinity'::timestamptz
        ) as holds_until
    from (
        select coalesce(surviving_lead_id, touch.lead_id) as lead_id, occurred_at, activity as signal
        from facts.touch_recorded as touch
        left join identity on identity.lead_id = touch.lead_id
        where is_inbound and not is_automated and activity is not null and occurred_at <= $as_of
    )
    join (
        select playbook_version, position, needed, within_us, unnest(activities) as signal
        from required
        where kind = 'intent'
    ) as wanted using (signal)
    join fitting using (lead_id, playbook_version)
    window counted as (partition by playbook_version, position, lead_id order by occurred_at)
    qualify row_number() over counted >= needed
),
person as (
    select playbook_version, position, needed, account_id, contact_id, min(occurred_at) as found_at
    from facts.buying_group_member_identified
    join (
        select playbook_version, position, needed, unnest(roles) as role
        from required
        where kind = 'group'
    ) as wanted using (role)
    where occurred_at <= $as_of
    group by all
),
enough_people as (
    select lead_id, playbook_version, greatest(found_at, first_seen_at) as holds_from,
        'infinity'::timestamptz as holds_until
    from funnel.lead
    join (
        select playbook_version, account_id, found_at
        from person
        qualify needed = row_number() over (
            partition by playbook_version, position, account_id order by found_at)
    ) as last_needed using (account_id)
),
interval_in_force as materialized (
    select lead_id, playbook_version, conditions,
        greatest(holds_from, in_force_from) as holds_from, least(holds_until, in_force_until) as holds_until
    from (from fit union all from intent union all from enough_people)
    join version using (playbook_version)
    where holds_from < holds_until and holds_from < in_force_until and holds_until > in_force_from
),
-- How many conditions hold from each moment on; what begins and ends in one moment is taken together.
swept as (
    select lead_id, playbook_version, conditions, moment,
        sum(step) over (partition by lead_id, playbook_version order by moment) as holding
    from (
        select lead_id, playbook_version, conditions, holds_from as moment, 1 as step from interval_in_force
        union all
        select lead_id, playbook_version, conditions, holds_until as moment, -1 as step from interval_in_force
        where holds_until <= $as_of
    )
),
qualified as (
    select lead_id, min(moment) as qualified_at, arg_min(playbook_version, moment) as playbook_version
    from swept
    where holding = conditions
    group by lead_id
)
select
    lead.lead_id,
    lead.account_id,
    lead.segment,
    qualified_at is not null as is_qualified,
    qualified_at,
    coalesce(qualified.playbook_version, version.playbook_version) as playbook_version
from funnel.lead as lead
cross join playbook.version as version
left join qualified using (lead_id)
