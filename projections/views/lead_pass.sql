-- view:   lead_pass
-- grain:  one row per lead and pass
-- key:    lead_id, pass
-- stored: lead_id
-- reads:  funnel.stage_entry, funnel.pass_end
-- says:   each way of a lead through the funnel: when it began, and whether it ended with a win, a loss or a
--         disqualification
-- means:  The first pass begins with the first event that enters any stage, and each ends with the first end of what
--         began in it: see pass_end. After a loss or a disqualification the next pass begins with a capture, a
--         signal of the buyer, an offer, an acceptance or a deal; a call about what was lost is none. After a win it
--         begins with a capture, an offer that is not by Sales, or a deal: signals, calls and handoffs of a customer
--         do not. Of what happens in one instant the end is the last.
-- columns:
--   lead_id   the lead; of merged ones the one that survives
--   pass      its number, from 1
--   began_at  when it began
--   ended_at  when it ended; null while it is open
--   outcome   won, lost, disqualified or open
with recursive
entry as materialized (
    select lead_id, begun_at, begins_after_loss, begins_after_win from funnel.stage_entry
),
ending as materialized (
    select lead_id, begun_at, ended_at, outcome from funnel.pass_end
),
pass_of_lead as (
    select distinct lead_id, 0 as pass, null::timestamptz as began_at, '-infinity'::timestamptz as ended_at,
        null::varchar as outcome
    from entry
    union all
    select beginning.lead_id, beginning.pass, beginning.began_at, min(ending.ended_at),
        arg_min(ending.outcome, (ending.ended_at, ending.outcome <> 'won', ending.outcome <> 'lost'))
    from (
        select previous.lead_id, previous.pass + 1 as pass, previous.ended_at as previous_at,
            min(entry.begun_at) as began_at
        from pass_of_lead as previous
        join entry on entry.lead_id = previous.lead_id and entry.begun_at > previous.ended_at
            and case
                when previous.pass = 0 then true
                when previous.outcome = 'won' then begins_after_win
                else begins_after_loss
            end
        group by previous.lead_id, previous.pass, previous.ended_at
    ) as beginning
    left join ending on ending.lead_id = beginning.lead_id and ending.begun_at > previous_at
        and ending.ended_at >= began_at
    group by beginning.lead_id, beginning.pass, beginning.began_at
)
select
    lead_id,
    pass,
    began_at,
    ended_at,
    coalesce(outcome, 'open') as outcome
from pass_of_lead
where pass > 0
