-- view:   lead_dimension
-- grain:  one row per lead that was captured, profiled, touched or offered
-- key:    lead_id
-- stored: lead_id
-- reads:  funnel.lead, funnel.handoff_governed, resolved.lead_captured, resolved.lead_profiled,
--         playbook.size_band, playbook.segment_condition, playbook.all_member
-- says:   by what each lead can be grouped: where it came from, what it is, and whose it is
-- means:  Where it came from is what was stated first, by the source's clock: channel and campaign by its captures. What
--         it is follows from the last profile that states it, as in the criteria of a qualified lead. Whose it is
--         follows from its latest handoff. Events of one instant count in the order of their ids. What nobody
--         stated is unknown, never null. Every view whose name ends in _slice counts by these columns.
-- columns:
--   lead_id         the lead; of merged ones the one that survives
--   first_channel   the channel it was first captured through, where a capture names one
--   first_campaign  the campaign it was first captured by, where a capture names one
--   region          the sales region it was first captured in
--   country         ISO 3166-1 country of its company
--   industry        industry of its company
--   size_band       the playbook's band that holds the number of employees of its company
--   named_segment   the first segment of the playbook whose conditions it meets, else other
--   source_system   the system that reported it first
--   owner           the person who has its latest handoff, or answered it
--   owner_team      that person's team under the playbook that judges the handoff, else the team it was offered to
with
capture as (
    select lead_id,
        arg_min(channel, (occurred_at, event_id)) filter (where channel is not null) as first_channel,
        arg_min(campaign_id, (occurred_at, event_id)) filter (where campaign_id is not null) as first_campaign
    from resolved.lead_captured
    group by lead_id
),
profile as materialized (
    select lead_id,
        arg_max(job_role, (occurred_at, event_id)) filter (where job_role is not null) as job_role,
        arg_max(country, (occurred_at, event_id)) filter (where country is not null) as country,
        arg_max(industry, (occurred_at, event_id)) filter (where industry is not null) as industry,
        arg_max(employees, (occurred_at, event_id)) filter (where employees is not null) as employees,
        arg_max(fit_score, (occurred_at, event_id)) filter (where fit_score is not null) as fit_score
    from resolved.lead_profiled
    group by lead_id
),
named_segment as (
    select lead_id, arg_min(segment, position) as named_segment
    from (
        select lead_id, position, segment
        from profile
        join playbook.segment_condition on case attribute
            when 'job_role' then list_contains(one_of, job_role)
            when 'industry' then list_contains(one_of, industry)
            when 'country' then list_contains(one_of, country)
            when 'employees' then employees between coalesce(at_least, employees) and coalesce(at_most, employees)
            when 'fit_score' then fit_score between coalesce(at_least, fit_score) and coalesce(at_most, fit_score)
        end
        group by lead_id, position, segment, conditions
        having count(*) = conditions
    )
    group by lead_id
),
latest_handoff as (
    select lead_id,
        max({
            'at': offered_at, 'handoff_id': handoff_id, 'owner': owner, 'to_team': to_team,
            'playbook_version': playbook_version
        }) as handoff
    from funnel.handoff_governed
    group by lead_id
)
select
    lead.lead_id,
    coalesce(nullif(first_channel, ''), 'unknown') as first_channel,
    coalesce(nullif(first_campaign, ''), 'unknown') as first_campaign,
    coalesce(nullif(lead.segment, ''), 'unknown') as region,
    coalesce(nullif(country, ''), 'unknown') as country,
    coalesce(nullif(industry, ''), 'unknown') as industry,
    coalesce(size_band, 'unknown') as size_band,
    coalesce(named_segment, 'other') as named_segment,
    coalesce(nullif(source_system, ''), 'unknown') as source_system,
    coalesce(nullif(handoff.owner, ''), 'unknown') as owner,
    coalesce(member.team, nullif(handoff.to_team, ''), 'unknown') as owner_team
from funnel.lead as lead
left join capture using (lead_id)
left join profile using (lead_id)
left join named_segment using (lead_id)
left join latest_handoff using (lead_id)
left join playbook.size_band on employees between size_band.at_least and coalesce(size_band.at_most, employees)
left join playbook.all_member as member
    on member.playbook_version = handoff.playbook_version and member.owner = handoff.owner
