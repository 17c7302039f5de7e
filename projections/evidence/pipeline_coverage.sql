-- evidence: pipeline_coverage
-- says: as known now: of each open deal its opening and the events that last gave its amount and its closing day,
--         and of each win that reduces the goal left the win and the event that last gave its amount
with
looked_on_day as materialized (
    select looked_on, zone, day_begins(looked_on, zone) as begins_at,
        case when looked_on = max(looked_on) over (partition by true) then $as_of else begins_at end as looked_at
    from (select distinct looked_on from funnel.pipeline_coverage)
    cross join playbook.version
),
known_deal as (
    select looked_on, zone, opportunity_id, deal_known(event) as known
    from looked_on_day
    join funnel.deal_event as event on least(occurred_at, $as_of) <= looked_at
    group by all
),
decided as (
    select looked_on, zone, known, deal_outcome(known) as outcome from known_deal
),
counted_event as (
    select looked_on,
        case
            when known.closing_day is null then 'undated'
            when known.closing_day.closes_on < looked_on then 'overdue'
            when quarter_of(known.closing_day.closes_on) > quarter_of(looked_on + to_months(6)) then 'later'
            else quarter_of(known.closing_day.closes_on)
        end as line,
        unnest([
            {'event_type': known.opening.event_type, 'event_id': known.opening.place.event_id},
            {'event_type': known.amount.event_type, 'event_id': known.amount.place.event_id},
            {'event_type': known.closing_day.event_type, 'event_id': known.closing_day.place.event_id}
        ]) as event
    from decided
    where outcome is null and known.opening is not null
    union all
    select looked_on, quarter_of((outcome.place.occurred_at at time zone zone)::date) as line,
        unnest([
            {'event_type': outcome.event_type, 'event_id': outcome.place.event_id},
            {'event_type': outcome.booked.event_type, 'event_id': outcome.booked.place.event_id}
        ]) as event
    from decided
    where outcome.is_won
)
select distinct coverage.looked_on, horizon, event.event_type as event_type, event.event_id as event_id
from funnel.pipeline_coverage as coverage
join counted_event
    on counted_event.looked_on = coverage.looked_on and line = coalesce(closes_in, horizon)
where event.event_id is not null
