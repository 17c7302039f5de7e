-- evidence: pipeline_coverage
-- says: as known now: of each open deal its opening and the events that last gave its amount and its closing day,
--         and the wins that reduce the goal left
with
looked_on_day as materialized (
    select looked_on, zone, day_begins(looked_on, zone) as begins_at,
        case when looked_on = max(looked_on) over () then $as_of else begins_at end as looked_at
    from (select distinct looked_on from funnel.pipeline_coverage)
    cross join playbook.version
),
known_deal as (
    select looked_on, zone, opportunity_id,
        deal_opening(event) as opening,
        deal_amount(event) as amount,
        deal_closing_day(event) as closing_day,
        deal_outcome(event) as outcome
    from looked_on_day
    join funnel.deal_event as event on occurred_at <= looked_at and recorded_at <= $as_of
    group by all
),
counted_event as (
    select looked_on, quarter_of(closing_day.closes_on) as closes_in,
        unnest([
            {'event_type': opening.event_type, 'event_id': opening.place.event_id},
            {'event_type': amount.event_type, 'event_id': amount.place.event_id},
            {'event_type': closing_day.event_type, 'event_id': closing_day.place.event_id}
        ]) as event
    from known_deal
    where outcome is null and opening is not null
    union all
    select looked_on, quarter_of((outcome.place.occurred_at at time zone zone)::date),
        {'event_type': outcome.event_type, 'event_id': outcome.place.event_id}
    from known_deal
    where outcome.is_won
)
select looked_on, closes_in, event.event_type as event_type, event.event_id as event_id
from funnel.pipeline_coverage
join counted_event using (looked_on, closes_in)
where event.event_id is not null
