-- evidence: pipeline_coverage
-- says: as known now, of each open deal its opening and what last gave its amount and its closing day; and
--         the wins that the goal left is less by
with
told as (
    select 'OpportunityOpened' as event_type, opportunity_id, occurred_at, event_id, amount, closes_on
    from facts.opportunity_opened
    union all by name
    select 'OpportunityRevised' as event_type, opportunity_id, occurred_at, event_id, amount, closes_on
    from facts.opportunity_revised
    union all by name
    select event_type, opportunity_id, occurred_at, event_id
    from facts.event
    where event_type in ('OpportunityWon', 'OpportunityLost')
),
look as (
    select distinct looked_on, zone, least(day_begins(looked_on, zone), $as_of) as begins_at,
        case when looked_on = max(looked_on) over () then $as_of else begins_at end as looked_at
    from funnel.pipeline_coverage
    cross join playbook.version
),
known as (
    select looked_on, zone, opportunity_id,
        min(said) filter (where said.event_type = 'OpportunityOpened') as opened,
        max(said) filter (where amount is not null) as worth,
        max({'said': said, 'closes_on': closes_on}) filter (where closes_on is not null) as closing,
        max(said) filter (where said.event_type in ('OpportunityWon', 'OpportunityLost')) as outcome
    from look
    join (
        select *, {'at': occurred_at, 'event_id': event_id, 'event_type': event_type} as said from told
    ) as told on told.occurred_at <= looked_at
    group by all
),
deal as (
    select looked_on, quarter_of(closing.closes_on) as closes_in,
        unnest([opened, worth, closing.said]) as said
    from known
    where outcome is null and opened is not null
    union all
    select looked_on, quarter_of((outcome.at at time zone zone)::date), outcome
    from known
    where outcome.event_type = 'OpportunityWon'
)
select looked_on, closes_in, said.event_type as event_type, said.event_id as event_id
from funnel.pipeline_coverage
join deal using (looked_on, closes_in)
where said is not null
