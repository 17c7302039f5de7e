-- view:   coverage_day
-- grain:  one row per day on which pipeline_coverage looks at the open deals
-- key:    looked_on
-- reads:  funnel.deal_event, playbook.version
-- says:   the days on which the open deals are compared with the goal: the first of each month since the first deal, and
--         the day of as-of
-- columns:
--   looked_on  the day, in the playbook's zone
--   looked_at  its first instant; of the day of as-of, as-of itself
select distinct looked_on, case when looked_on = last_on then $as_of else day_begins(looked_on, zone) end as looked_at
from (
    select zone, (min(occurred_at) at time zone zone)::date as first_on, ($as_of at time zone zone)::date as last_on
    from funnel.deal_event
    cross join playbook.version
    where event_type <> 'OpportunityStageEntered'
    group by zone
)
cross join lateral (
    select unnest(list_append(
        generate_series(date_trunc('month', first_on), last_on, interval 1 month), last_on::timestamp
    ))::date as looked_on
)
where looked_on >= first_on
