-- derived: playbook_effect
-- grain:  one row per measure and whom it concerns
-- key:    measure, whom
-- reads:  funnel.lead_verdict, funnel.lead_outcome, funnel.handoff_history, funnel.handoff_sla, playbook.sla,
--         playbook.team
-- says:   what a playbook would have made of the recorded events: what two playbooks are compared by
-- means:  Qualified: leads that met the definition since the first day asked for. Held back: offers of a
--         marketing team for leads that were not qualified when they were offered: under the playbook these
--         leads would have been recycled instead. Precision and recall as in
--         definition_quality. Expected revenue: what the wins the definition had named booked, and for each
--         qualified lead that is still open the precision at win times the average of those wins; it is what
--         the definition points at, not a forecast of the quarter. Owed and late: clocks of SLAs that
--         started, and those of them that were ever missed, by the team that owes.
-- columns:
--   position  order in which to read them
--   measure   what is measured
--   whom      the team it concerns, or all
--   value     the value: cases, a share, or money in the goal's currency (decimal)
--   n         the cases it rests on
--   unit      cases, per_week, share or money
with
outcome as materialized (
    select * from funnel.lead_outcome
),
qualified as (
    select count(*) as leads,
        count(*) filter (where is_accepted is not null) as answered,
        count(*) filter (where is_accepted) as accepted,
        count(*) filter (where fate = 'won') as won,
        count(*) filter (where fate = 'lost') as lost,
        count(*) filter (where fate = 'still_open') as still_open
    from outcome
    where is_qualified and qualified_at >= $since
),
win as (
    select count(*) as wins,
        count(*) filter (where is_named_before) as named,
        coalesce(sum(booked - coalesce(missed_value, 0)), 0)::decimal(38,2) as named_value,
        coalesce(sum(missed_value), 0)::decimal(38,2) as missed_value
    from outcome
    where won_at >= $since
),
lead as (
    select count(*) as known,
        greatest(1, (epoch_us($as_of) - epoch_us(greatest($since, min(born.first_at)))) / 604800000000.0) as weeks
    from funnel.lead_verdict
    cross join (select min(offered_at) as first_at from funnel.handoff_history) as born
),
offer as (
    select count(*) as offers,
        count(*) filter (where not is_qualified or qualified_at > offered_at) as held_back
    from funnel.handoff_history as handoff
    join playbook.team as sender on sender.team = handoff.from_team and sender.side = 'marketing'
    left join funnel.lead_verdict as lead using (lead_id)
    where offered_at >= $since
),
duty as (
    select owed_by, count(*) as owed, count(*) filter (where is_due) as late
    from funnel.handoff_sla
    where starts_at >= $since and not is_clock_suspect
    group by owed_by
),
answering as (
    select distinct sla.to_team
    from playbook.sla as sla
    join playbook.team as sender on sender.team = sla.from_team and sender.side = 'marketing'
    where sla.sla = 'answer'
),
measured as (
    select 1 as position, 'qualified' as measure, 'all' as whom, leads::decimal(38,6) as value, known as n,
        'cases' as unit
    from qualified cross join lead
    union all
    select 2, 'qualified_per_week', to_team, (leads / weeks)::decimal(38,6), leads, 'per_week'
    from answering cross join qualified cross join lead
    union all
    select 3, 'held_back', 'all', held_back::decimal(38,6), offers, 'cases' from offer
    union all
    select 4, 'precision_at_acceptance', 'all', (accepted / nullif(answered, 0))::decimal(38,6), answered, 'share'
    from qualified
    union all
    select 5, 'precision_at_win', 'all', (won / nullif(won + lost, 0))::decimal(38,6), won + lost, 'share'
    from qualified
    union all
    select 6, 'recall', 'all', (named / nullif(wins, 0))::decimal(38,6), wins, 'share' from win
    union all
    select 7, 'missed_value', 'all', missed_value::decimal(38,6), wins - named, 'money' from win
    union all
    select 8, 'expected_revenue', 'all',
        round(named_value + coalesce(
            still_open * (won / nullif(won + lost, 0)) * (named_value / nullif(named, 0)), 0), 2)::decimal(38,6),
        named + still_open, 'money'
    from qualified cross join win
    union all
    select 9, 'owed', owed_by, owed::decimal(38,6), owed, 'cases' from duty
    union all
    select 10, 'late', owed_by, late::decimal(38,6), owed, 'cases' from duty
)
select position, measure, whom, value, n, unit from measured
