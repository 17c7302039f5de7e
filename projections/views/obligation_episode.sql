-- view:   obligation_episode
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed; the answer always has one, also without
--         an SLA
-- key:    handoff_id, sla, episode
-- stored: handoff_id
-- reads:  funnel.handoff_governed, playbook.all_sla
-- says:   when each thing owed on a handoff began to be owed, when it was done, and when it no longer made sense
-- means:  An answer is owed from the offer. First attempt and attempts are owed from the first acceptance, and from
--         each acceptance that follows a return; two-way contact meets both, and what was done since the offer (or the
--         return before) counts. An acknowledgement is owed from each return, and is met by the first one after it.
--         An answer lapses with two-way contact or a deal. Attempts lapse with a return or a deal. An acknowledgement
--         lapses when the lead is accepted after all, is offered again, or becomes a deal. All of it is moot once the
--         record that was offered is merged into another.
-- columns:
--   all of handoff_governed
--   sla               answer, first_attempt, attempts or acknowledge_return
--   episode           1 for the first time it was owed, 2 for the next
--   is_latest         true for the latest of them
--   starts_at         when it began to be owed
--   owed_by           receiver or sender; null when no SLA covers the pair
--   clock             business or elapsed; null when no SLA covers the pair
--   allowed_us        microseconds of that clock that the playbook allows
--   done_at           when it was done; null when it is not, or had lapsed before. An answer may come after it lapsed
--   ended_without_at  when it lapsed or became moot, whichever came first; not before it began
--   ended_without     lapsed or moot
with
handoff as materialized (
    select * from funnel.handoff_governed
),
given as (
    select handoff_id, unnest(answers) as answered from handoff
),
turn as (
    select
        handoff_id,
        answered.answer as answer,
        answered.place as place,
        answered.place.occurred_at as occurred_at,
        lag(answered.answer) over story as answer_before,
        max(answered.place.occurred_at) filter (where answered.answer = 'returned') over (
            story rows between unbounded preceding and 1 preceding) as returned_before_at,
        min(answered.place.occurred_at) filter (where answered.answer = 'returned') over (
            story rows between 1 following and unbounded following) as returned_after_at,
        min(answered.place.occurred_at) filter (where answered.answer = 'accepted') over (
            story rows between 1 following and unbounded following) as accepted_after_at
    from given
    window story as (partition by handoff_id order by answered.place)
),
start as (
    select handoff_id, sla, row_number() over times as episode,
        lead(true) over times is null as is_latest, place,
        occurred_at as starts_at, coalesce(returned_before_at, '-infinity'::timestamptz) as counts_from_at,
        returned_before_at, returned_after_at, accepted_after_at
    from turn
    join (values ('accepted', 'first_attempt'), ('accepted', 'attempts'), ('returned', 'acknowledge_return'))
        as opened(answer, sla) using (answer)
    where answer = 'returned' or coalesce(answer_before, 'returned') = 'returned'
    window times as (partition by handoff_id, sla order by place)
    union all by name
    select handoff_id, 'answer' as sla, 1 as episode, true as is_latest, offered_at as starts_at from handoff
),
-- What would end it, each by itself.
ending as (
    select
        handoff.*, start.* exclude (handoff_id), owed.owed_by, owed.clock, owed.allowed_us,
        list_filter(human_attempt_ats, lambda tried: tried >= counts_from_at) as attempt_ats,
        list_filter(reached_ats, lambda reached: reached >= counts_from_at)[1] as reached_since_at,
        list_filter(deal_opened_ats, lambda opened:
            opened >= case sla when 'acknowledge_return' then starts_at else counts_from_at end)[1] as deal_at,
        attempt_ats[owed.attempts] as last_attempt_at,
        coalesce(
            list_filter(acknowledgements, lambda given: given.place > start.place)[1],
            case when returned_before_at is null then acknowledgements[-1] end).place.occurred_at as acknowledged_since_at
    from start
    join handoff using (handoff_id)
    left join playbook.all_sla as owed using (playbook_version, sla, from_team, to_team)
    where sla = 'answer' or owed.sla is not null
),
ended as (
    select *,
        case sla
            when 'answer' then least(reached_ats[1], deal_opened_ats[1])
            when 'acknowledge_return' then least(accepted_after_at, deal_at,
                list_filter(offered_again_ats, lambda again: again >= starts_at)[1])
            else least(returned_after_at, deal_at)
        end as lapsed_at,
        case sla
            when 'answer' then answered_at
            when 'acknowledge_return' then acknowledged_since_at
            when 'first_attempt' then least(attempt_ats[1], reached_since_at)
            else least(last_attempt_at, reached_since_at)
        end as ever_done_at,
        case when sla = 'answer' or ever_done_at <= coalesce(lapsed_at, ever_done_at) then ever_done_at end as done_at,
        case when merged_at >= starts_at then merged_at end as moot_at,
        least(lapsed_at, moot_at) as without_at
    from ending
)
select
    * exclude (place, counts_from_at, returned_before_at, returned_after_at, accepted_after_at, attempt_ats,
        reached_since_at, deal_at, last_attempt_at, acknowledged_since_at, lapsed_at, ever_done_at, moot_at, without_at)
    replace (is_clock_suspect or sla = 'acknowledge_return' and coalesce(done_at < starts_at, false)
        as is_clock_suspect),
    case when without_at is not null then greatest(starts_at, without_at) end as ended_without_at,
    case when without_at = lapsed_at then 'lapsed' when without_at is not null then 'moot' end as ended_without
from ended
