-- view:   definition_quality
-- grain:  one row per playbook version and segment with a qualified or a won lead; segment all is all of them
-- key:    playbook_version, segment
-- reads:  funnel.lead_outcome, playbook.version, playbook.all_version
-- says:   how good the definition of a qualified lead is: how many of the qualified Sales take and win, how
--         many wins it had named before, and the money of those it had not
-- means:  Precision and recall as of any classifier: precision is the share of the qualified that turn out
--         right, recall the share of what was right that had been qualified. Right is, for acceptance, the
--         first answer at or after qualified_at to an offer of a marketing team to a sales team; and for a
--         win, a deal won at or after qualified_at. A deal counts for the lead its events name first; a deal
--         that names none is not counted here. A lead is lost when deals of it were lost since it qualified
--         and none is open. A won lead counts once, at its first win, under the version it was qualified by,
--         else under the version in force at that win; its segment is its lead's. The value missed is what
--         was booked on deals won before their lead was qualified, or without; each deal counts by its last
--         outcome and amount.
-- columns:
--   playbook_version         the version of the definition
--   segment                  the sales region of the lead, unknown, or all
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
outcome as materialized (
    select * from funnel.lead_outcome
),
-- What each lead adds: once as qualified, once as won.
case_of_qualified as (
    select playbook_version, unnest([segment, 'all']) as segment, is_accepted, fate
    from outcome
    where is_qualified
),
case_of_won as (
    select win_version as playbook_version, unnest([segment, 'all']) as segment, is_named_before,
        missed_value, unpriced
    from outcome
    where won_at is not null
),
of_qualified as (
    select
        playbook_version, segment,
        count(*) as qualified,
        count(*) filter (where is_accepted) as accepted,
        count(*) filter (where not is_accepted) as returned,
        count(*) filter (where fate = 'won') as won,
        count(*) filter (where fate = 'lost') as lost,
        count(*) filter (where fate = 'still_open') as still_open,
        count(*) filter (where fate = 'won_before') as won_before
    from case_of_qualified
    group by playbook_version, segment
),
of_won as (
    select
        playbook_version, segment,
        count(*) as wins,
        count(*) filter (where is_named_before) as wins_qualified,
        sum(missed_value)::decimal(38,2) as missed_value,
        sum(unpriced)::bigint as unpriced
    from case_of_won
    group by playbook_version, segment
),
counted as (
    select
        playbook_version, segment,
        coalesce(qualified, 0) as qualified,
        coalesce(accepted + returned, 0) as answered,
        coalesce(accepted, 0) as accepted,
        coalesce(returned, 0) as returned,
        coalesce(won, 0) as won,
        coalesce(lost, 0) as lost,
        coalesce(still_open, 0) as still_open,
        coalesce(won_before, 0) as won_before,
        coalesce(wins, 0) as wins,
        coalesce(wins_qualified, 0) as wins_qualified,
        coalesce(missed_value, 0)::decimal(38,2) as missed_value,
        coalesce(unpriced, 0) as unpriced
    from of_qualified
    full join of_won using (playbook_version, segment)
)
select
    counted.playbook_version,
    segment,
    qualified,
    answered,
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
    version.currency as currency,
    least(answered, won + lost, wins) as n,
    n >= own.minimum_n as is_enough
from counted
cross join playbook.version as version
join playbook.all_version as own on own.playbook_version = counted.playbook_version
