-- view:   definition_quality_slice
-- grain:  one row per slice, window and playbook version with a qualified or a won lead of the slice
-- key:    dimension, value, window_unit, window_start, playbook_version
-- reads:  funnel.lead_outcome, funnel.lead_slice, playbook.dimension, playbook.window_unit, playbook.version,
--         playbook.all_version
-- says:   how good the definition of a qualified lead is, by source, campaign, segment, owner and so on, in windows of
--         any unit
-- means:  Counted as in definition_quality, which has the slices all and region over all windows. What became of the
--         qualified counts in the window in which they qualified, and a win in the window of the first win, so that
--         precision is that of a cohort.
-- columns:
--   dimension                what it is sliced by: a column of lead_dimension, or all
--   value                    the value of that dimension; all for all
--   window_unit              day, week, month, quarter, fiscal_quarter, year or all
--   window_start             first day of the window; null for all
--   playbook_version         the version of the definition
--   qualified                leads qualified by this version
--   answered                 of those, answered by Sales since they qualified
--   unanswered               of those, not answered since
--   accepted                 of those answered, accepted
--   returned                 of those answered, returned
--   precision_at_acceptance  accepted / answered
--   won                      of the qualified, won after they qualified
--   lost                     of the qualified, lost
--   still_open               of the qualified, neither
--   won_before               of the qualified, won before they qualified: the definition came too late
--   precision_at_win         won / (won + lost): of the qualified that are decided
--   wins                     won leads, qualified or not
--   wins_qualified           of those, qualified when they were won
--   recall                   wins_qualified / wins
--   missed_value             booked on the other wins, in the goal's currency (decimal)
--   unpriced                 deals of those wins in a currency without a rate, which missed_value lacks
--   currency                 the goal's currency
--   n                        the fewest cases one of the three shares rests on: of answered, won + lost, and wins
--   is_enough                true when n reaches the playbook's minimum
with
counted as (
    select lead_id, playbook_version, qualified_at as counted_at, is_accepted, fate, false as is_win
    from funnel.lead_outcome
    where is_qualified
    union all by name
    select lead_id, win_version as playbook_version, won_at as counted_at, is_named_before, missed_value, unpriced,
        true as is_win
    from funnel.lead_outcome
    where won_at is not null
),
slice as (
    select
        dimension,
        dimension_value(dimension, value) as value,
        window_unit,
        window_of(counted_at at time zone zone, window_unit, week_begins, fiscal_year_begins)
            as window_start,
        playbook_version,
        currency,
        count(*) filter (where not is_win) as qualified,
        count(*) filter (where is_accepted) as accepted,
        count(*) filter (where not is_accepted) as returned,
        count(*) filter (where fate = 'won') as won,
        count(*) filter (where fate = 'lost') as lost,
        count(*) filter (where fate = 'still_open') as still_open,
        count(*) filter (where fate = 'won_before') as won_before,
        count(*) filter (where is_win) as wins,
        count(*) filter (where is_named_before) as wins_qualified,
        coalesce(sum(missed_value), 0)::decimal(38,2) as missed_value,
        coalesce(sum(unpriced), 0)::bigint as unpriced
    from counted
    cross join playbook.dimension
    left join funnel.lead_slice using (lead_id, dimension)
    cross join playbook.window_unit
    cross join (select currency from playbook.version)
    group by all
)
select
    dimension,
    value,
    window_unit,
    window_start,
    playbook_version,
    qualified,
    accepted + returned as answered,
    qualified - answered as unanswered,
    accepted,
    returned,
    accepted / nullif(answered, 0) as precision_at_acceptance,
    won,
    lost,
    still_open,
    won_before,
    won / nullif(won + lost, 0) as precision_at_win,
    wins,
    wins_qualified,
    wins_qualified / nullif(wins, 0) as recall,
    missed_value,
    unpriced,
    currency,
    least(answered, won + lost, wins) as n,
    n >= minimum_n as is_enough
from slice
join (select playbook_version, minimum_n from playbook.all_version) using (playbook_version)
