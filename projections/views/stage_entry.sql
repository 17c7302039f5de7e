-- view:   stage_entry
-- grain:  one row per event by which a lead enters a stage of the playbook's funnel
-- key:    event_type, event_id
-- stored: lead_id
-- reads:  resolved.lead_captured, resolved.touch_recorded, resolved.handoff_offered, resolved.handoff_accepted,
--         resolved.buyer_reached, funnel.deal, funnel.deal_event, playbook.stage, playbook.team, playbook.version
-- says:   what enters a stage, when, and whether it can begin another pass of a lead whose last one has ended
-- means:  Of a deal its first opening counts, and its win while that is its outcome. Whatever is reported before the
--         lead was first captured comes from a clock that disagrees: it is flagged, and counts as of the capture.
--         See lead_pass for what begins a pass.
-- columns:
--   lead_id             the lead; of merged ones the one that survives
--   position            order of the stage
--   event_type          what happened
--   event_id            the event
--   reported_at         when it happened, by the clock of its source
--   entered_at          the same, and not before the lead was captured
--   begun_at            when what it is about began: a deal's first event, else entered_at; it decides the pass
--   is_clock_suspect    true when it is reported before the lead was captured; not on the day of an opening of which
--                       only the day is known
--   begins_after_loss   whether it begins a pass after one that was lost or disqualified
--   begins_after_win    whether it begins a pass after one that was won
with
captured as (
    select lead_id, min(occurred_at) as captured_at from resolved.lead_captured group by lead_id
),
reported as (
    select lead_id, 'LeadCaptured' as event_type, event_id, occurred_at, occurred_at as begun_at,
        true as begins_after_loss, true as begins_after_win
    from resolved.lead_captured
    union all by name
    select lead_id, 'TouchRecorded' as event_type, event_id, occurred_at, occurred_at as begun_at,
        true as begins_after_loss, false as begins_after_win
    from resolved.touch_recorded
    where is_inbound and not is_automated
    union all by name
    select lead_id, 'HandoffOffered' as event_type, event_id, occurred_at, occurred_at as begun_at,
        true as begins_after_loss,
        from_team not in (select team from playbook.team where side = 'sales') as begins_after_win
    from resolved.handoff_offered
    union all by name
    select lead_id, 'HandoffAccepted' as event_type, event_id, occurred_at, occurred_at as begun_at,
        true as begins_after_loss, false as begins_after_win
    from resolved.handoff_accepted
    union all by name
    select lead_id, 'BuyerReached' as event_type, event_id, occurred_at, occurred_at as begun_at,
        false as begins_after_loss, false as begins_after_win
    from resolved.buyer_reached
    union all by name
    select deal.lead_id, event_type, arg_min(event_id, place) as event_id,
        case event_type when 'OpportunityOpened' then opened_at else closed_at end as occurred_at,
        least(opened_at, closed_at) as begun_at, true as begins_after_loss, true as begins_after_win,
        arg_min(is_day_only, place) as is_day_only
    from funnel.deal as deal
    join funnel.deal_event as event using (opportunity_id)
    where (event_type = 'OpportunityOpened' and status <> 'credit')
        or (event_type = 'OpportunityWon' and status = 'won')
    group by opportunity_id, deal.lead_id, event_type, opened_at, closed_at
)
select
    lead_id,
    position,
    event_type,
    event_id,
    occurred_at as reported_at,
    greatest(occurred_at, captured_at) as entered_at,
    greatest(begun_at, captured_at) as begun_at,
    coalesce(occurred_at < captured_at, false)
        and not (coalesce(is_day_only, false) and (occurred_at at time zone zone)::date = (captured_at at time zone zone)::date)
        as is_clock_suspect,
    begins_after_loss,
    begins_after_win
from reported
join playbook.stage on entered_by = event_type
left join captured using (lead_id)
cross join playbook.version
where lead_id is not null
