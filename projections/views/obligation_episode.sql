-- view:   obligation_episode
-- grain:  one row per handoff, SLA of its pair of teams, and time it was owed
-- key:    handoff_id, sla, episode
-- reads:  funnel.handoff_offer, funnel.handoff_contact, playbook.all_version, playbook.all_sla
-- says:   when each thing owed on a handoff began to be owed, when it was done, and when it no longer made sense
-- means:  An answer is owed from the offer. First attempt and attempts are owed from the first acceptance, and from
--         each acceptance that follows a return; two-way contact meets both, and what was done since the offer (or the
--         return before) counts. An acknowledgement is owed from each return, and is met by the first one after it.
--         An answer lapses with two-way contact or a deal. Attempts lapse with a return or a deal. An acknowledgement
--         lapses when the lead is accepted after all, is offered again, or becomes a deal. All of it is moot once the
--         record that was offered is merged into another.
-- columns:
--   handoff_id        the handoff
--   sla               answer, first_attempt, attempts or acknowledge_return
--   episode           1 for the first time it was owed, 2 for the next
--   owed_by           receiver or sender
--   clock             business or elapsed
--   allowed_us        microseconds of that clock that the playbook allows
--   starts_at         when it began to be owed
--   lapsed_at         when it no longer made sense
--   ever_done_at      when it was done, in time or not, lapsed or not
--   done_at           the same; null when it had lapsed by then. An answer may come after that, see obligation
--   moot_at           when the record was merged away
--   from_team         the team that offered
--   to_team           the team asked to answer
--   is_clock_suspect  true when the clocks disagree: an answer or contact before the offer, or an acknowledgement
--                     before any return
--   at_risk_share     share of the allowed time after which it is at risk
--   playbook_version  the playbook it is judged by
with
handoff as materialized (
    select offer.handoff_id, from_team, to_team, offered_at, offered_again_at, answers, acknowledgements, merged_at,
        human_attempt_ats, reached_ats, deal_opened_ats, version.playbook_version, at_risk_share,
        coalesce(least(answers[1].place.occurred_at, human_attempt_ats[1], reached_at) < offered_at, false)
            as is_clock_suspect
    from funnel.handoff_offer as offer
    left join funnel.handoff_contact using (handoff_id)
    left join (
        select previous_handoff_id as handoff_id, list(offered_at order by offered_at) as offered_again_at
        from funnel.handoff_offer
        group by previous_handoff_id
    ) as following using (handoff_id)
    left join playbook.all_version as version
        on offered_at >= coalesce(in_force_from, '-infinity'::timestamptz)
        and offered_at < coalesce(in_force_until, 'infinity'::timestamptz)
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
        coalesce(lag(answered.answer) over story, 'returned') as answer_before,
        max(answered.place.occurred_at) filter (where answered.answer = 'returned') over before as returned_before_at,
        min(answered.place.occurred_at) filter (where answered.answer = 'returned') over after as returned_after_at,
        min(answered.place.occurred_at) filter (where answered.answer = 'accepted') over after as accepted_after_at
    from given
    window story as (partition by handoff_id order by answered.place),
        before as (story rows between unbounded preceding and 1 preceding),
        after as (story rows between 1 following and unbounded following)
),
start as (
    select handoff_id, sla, row_number() over (partition by handoff_id, sla order by place) as episode, place,
        occurred_at as starts_at, coalesce(returned_before_at, '-infinity'::timestamptz) as counts_from_at,
        returned_before_at is null as is_first, returned_after_at, accepted_after_at
    from turn
    join (values ('accepted', 'first_attempt'), ('accepted', 'attempts'), ('returned', 'acknowledge_return'))
        as opened(answer, sla) using (answer)
    where answer = 'returned' or answer_before = 'returned'
    union all by name
    select handoff_id, 'answer' as sla, 1 as episode, offered_at as starts_at from handoff
),
-- What would end it, each by itself.
ending as (
    select
        start.*,
        owed.owed_by, owed.clock, owed.allowed_us, playbook_version, at_risk_share,
        merged_at, from_team, to_team, is_clock_suspect,
        list_filter(human_attempt_ats, lambda tried: tried >= counts_from_at) as attempt_ats,
        list_filter(reached_ats, lambda reached: reached >= counts_from_at)[1] as reached_at,
        list_filter(deal_opened_ats, lambda opened:
            opened >= case sla when 'acknowledge_return' then starts_at else counts_from_at end)[1] as deal_at,
        list_filter(offered_again_at, lambda offered: offered >= starts_at)[1] as offered_again_at,
        attempt_ats[owed.attempts] as last_attempt_at,
        answers[1].place.occurred_at as answered_at,
        reached_ats[1] as first_reached_at,
        deal_opened_ats[1] as first_deal_at,
        coalesce(
            list_filter(acknowledgements, lambda given: given.place > start.place)[1],
            case when is_first then acknowledgements[-1] end).place.occurred_at as acknowledged_at
    from start
    join handoff using (handoff_id)
    join playbook.all_sla as owed using (playbook_version, sla, from_team, to_team)
)
select
    handoff_id,
    sla,
    episode,
    owed_by,
    clock,
    allowed_us,
    starts_at,
    case sla
        when 'answer' then least(first_reached_at, first_deal_at)
        when 'acknowledge_return' then least(accepted_after_at, offered_again_at, deal_at)
        else least(returned_after_at, deal_at)
    end as lapsed_at,
    case sla
        when 'answer' then answered_at
        when 'acknowledge_return' then acknowledged_at
        when 'first_attempt' then least(attempt_ats[1], reached_at)
        else least(last_attempt_at, reached_at)
    end as ever_done_at,
    case when sla = 'answer' or ever_done_at <= coalesce(lapsed_at, ever_done_at) then ever_done_at end as done_at,
    case when merged_at >= starts_at then merged_at end as moot_at,
    from_team,
    to_team,
    is_clock_suspect or sla = 'acknowledge_return' and coalesce(done_at < starts_at, false) as is_clock_suspect,
    at_risk_share,
    playbook_version
from ending
