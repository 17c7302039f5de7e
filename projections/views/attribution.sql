-- view:   attribution
-- grain:  one row per won opportunity, model and session of its account up to the win
-- key:    opportunity_id, model, session_id
-- reads:  funnel.win, facts.touch_recorded, facts.buyer_reached, facts.call_held, facts.lead_captured,
--         facts.lead_profiled, facts.handoff_offered, facts.opportunity_opened, playbook.version
-- says:   what brought the money: each win shared out, to the cent, among the sessions with the buyer before
--         it, by five models side by side
-- means:  A touch is a TouchRecorded that a human made, a BuyerReached or a CallHeld, of either team, at or
--         before the win; nothing earns credit after the event. It belongs to the account it names, else to
--         its lead's (the earliest LeadCaptured, LeadProfiled, HandoffOffered or OpportunityOpened that names
--         one), else to its deal's. Touches of an account closer than the playbook's session are one session
--         and count once, however many contacts they have; a session takes team, channel and campaign from
--         its first touch. A BuyerReached is of the team its handoff was offered to (the one it names, else
--         the lead's latest offered by then, else sales); a CallHeld is of sales, Marketing present or not.
--         Every win looks back over all sessions of its account, also those before an earlier win, as
--         attribution tools do (each conversion has a path of its own, as in Snowplow's dbt package; without
--         its limit of days, for a deal may take longer): two deals of one account may owe themselves to the
--         same session, each with its own money. Models: first and last give all to one session; linear the
--         same to each; position 40 % to the first, 40 % to the last, 20 % shared by those between (one
--         session 100 %, two 50 % each); w 30 % to the first, 30 % to the session in which the lead was
--         created (the latest begun by the account's first LeadCaptured), 30 % to the one of the deal (the
--         latest begun by its opening), 10 % shared by the rest. Where no session had begun by then, or the
--         moment is unknown, the first session stands for it. Shares that meet in one session add up; with no
--         rest, its 10 % go to the three in proportion. Credit is kept in millionths and amounts in cents;
--         what rounding leaves goes to the last session, so both add up exactly.
-- columns:
--   opportunity_id    the won deal
--   account_id        its company
--   model             first, last, linear, position or w
--   session_id        event id of the session's first touch; 'unattributed' for a win without any touch
--   position          place of the session before the win, from 1; null when unattributed
--   touched_at        when the session began
--   event_type        the event it began with
--   team              team of its first touch; null when unattributed
--   channel           channel of its first touch; call for a CallHeld
--   campaign_id       campaign of its first touch, where it names one
--   touches           touches of the session up to the win
--   credit            share of the win, 0 to 1 (decimal); the shares of one win and model sum to exactly 1
--   amount            that share of the booked amount (decimal); they sum to booked; null when the win is unpriced
--   booked            the amount booked with the win, in the goal's currency (decimal); null without a rate
--   currency          the goal's currency, ISO 4217
--   won_at            when the deal was won
--   is_attributed     false for a win without any touch
--   playbook_version  the playbook whose session length and rate these are
with
named as (
    select lead_id, occurred_at, event_id, account_id from facts.lead_captured
    union all
    select lead_id, occurred_at, event_id, account_id from facts.lead_profiled
    union all
    select lead_id, occurred_at, event_id, account_id from facts.handoff_offered
    union all
    select lead_id, occurred_at, event_id, account_id from facts.opportunity_opened
),
lead_account as (
    select lead_id,
        min({'occurred_at': occurred_at, 'event_id': event_id, 'account_id': account_id}).account_id as account_id
    from named
    where account_id is not null and lead_id is not null and occurred_at <= $as_of
    group by lead_id
),
deal_account as (
    select opportunity_id,
        min({'occurred_at': occurred_at, 'event_id': event_id, 'account_id': account_id}).account_id as account_id
    from facts.opportunity_opened
    where occurred_at <= $as_of
    group by opportunity_id
),
offer as (
    select handoff_id, lead_id, to_team, occurred_at as offered_at
    from facts.handoff_offered
    where occurred_at <= $as_of
    qualify row_number() over (partition by handoff_id order by occurred_at, event_id) = 1
),
-- A lead may be offered twice in one instant: the later handoff id stands for it.
latest_offer as (
    select lead_id, offered_at, max_by(to_team, handoff_id) as to_team from offer group by lead_id, offered_at
),
told as (
    select 'TouchRecorded' as event_type, event_id, occurred_at, account_id, lead_id, null as opportunity_id,
        team, channel, campaign_id
    from facts.touch_recorded
    where not is_automated
    union all by name
    select 'BuyerReached' as event_type, reached.event_id, reached.occurred_at, reached.lead_id, reached.channel,
        coalesce(offer.to_team, latest_offer.to_team, 'sales') as team
    from facts.buyer_reached as reached
    left join offer on offer.handoff_id = reached.handoff_id
    asof left join latest_offer
        on latest_offer.lead_id = reached.lead_id and reached.occurred_at >= latest_offer.offered_at
    union all by name
    select 'CallHeld' as event_type, event_id, occurred_at, account_id, lead_id, opportunity_id,
        'sales' as team, 'call' as channel
    from facts.call_held
),
touch as (
    select told.* exclude (account_id),
        coalesce(told.account_id, lead_account.account_id, deal_account.account_id) as account_id
    from told
    left join lead_account using (lead_id)
    left join deal_account on deal_account.opportunity_id = told.opportunity_id
    where told.occurred_at <= $as_of
),
spaced as (
    select touch.*,
        coalesce(
            epoch_us(occurred_at) - lag(epoch_us(occurred_at)) over visit < version.session_us, false
        ) as is_same_session
    from touch
    cross join playbook.version as version
    where account_id in (select account_id from funnel.win)
    window visit as (partition by account_id order by occurred_at, event_id, event_type)
),
numbered as (
    select *,
        count(*) filter (where not is_same_session) over (
            partition by account_id order by occurred_at, event_id, event_type
            rows between unbounded preceding and current row
        ) as session
    from spaced
),
-- A session begun before the win is cut at it: its first touch stays what it is.
session as (
    select win.opportunity_id, numbered.session,
        count(*) as touches,
        min(numbered.occurred_at) as touched_at,
        min(numbered.event_id) filter (where not is_same_session) as session_id,
        min(numbered.event_type) filter (where not is_same_session) as event_type,
        min(numbered.team) filter (where not is_same_session) as team,
        min(numbered.channel) filter (where not is_same_session) as channel,
        min(numbered.campaign_id) filter (where not is_same_session) as campaign_id
    from funnel.win as win
    join numbered on numbered.account_id = win.account_id and numbered.occurred_at <= win.won_at
    group by win.opportunity_id, numbered.session
),
account_captured as (
    select coalesce(captured.account_id, lead_account.account_id) as account_id,
        min(captured.occurred_at) as captured_at
    from facts.lead_captured as captured
    left join lead_account using (lead_id)
    where captured.occurred_at <= $as_of
    group by all
),
placed as (
    select session.*, win.booked,
        row_number() over (partition by session.opportunity_id order by session) as position,
        count(*) over deal as sessions,
        greatest(1, count(*) filter (where touched_at <= captured_at) over deal) as lead_position,
        greatest(1, count(*) filter (where touched_at <= opened_at) over deal) as deal_position
    from session
    join funnel.win as win using (opportunity_id)
    left join account_captured using (account_id)
    window deal as (partition by session.opportunity_id)
),
named_in_w as (
    select *,
        (position = 1)::integer + (position = lead_position)::integer + (position = deal_position)::integer
            as times_named,
        sessions - 1 - (lead_position <> 1)::integer - (deal_position not in (1, lead_position))::integer as rest
    from placed
),
-- In millionths, rounded down.
weighed as (
    select named_in_w.*, model,
        case model
            when 'first' then 1000000 * (position = 1)::bigint
            when 'last' then 1000000 * (position = sessions)::bigint
            when 'linear' then 1000000 // sessions
            when 'position' then
                case
                    when sessions <= 2 then 1000000 // sessions
                    when position in (1, sessions) then 400000
                    else 200000 // (sessions - 2)
                end
            when 'w' then
                case
                    when rest = 0 then 1000000 * times_named // 3
                    when times_named > 0 then 300000 * times_named
                    else 100000 // rest
                end
        end as millionths
    from named_in_w
    cross join (values ('first'), ('last'), ('linear'), ('position'), ('w')) as models (model)
),
credited as (
    select * replace (
        case when position = sessions
             then 1000000 - (sum(millionths) over share - millionths)
             else millionths
        end as millionths
    )
    from weighed
    window share as (partition by opportunity_id, model)
),
rounded_down as (
    select *, (booked * 100)::hugeint as booked_cents, booked_cents * millionths // 1000000 as cents
    from credited
),
shared as (
    select * replace (
        case when position = sessions then booked_cents - (sum(cents) over share - cents) else cents end as cents
    )
    from rounded_down
    window share as (partition by opportunity_id, model)
)
select
    win.opportunity_id,
    win.account_id,
    models.model,
    coalesce(shared.session_id, 'unattributed') as session_id,
    shared.position,
    shared.touched_at,
    shared.event_type,
    shared.team,
    shared.channel,
    shared.campaign_id,
    coalesce(shared.touches, 0) as touches,
    (coalesce(shared.millionths, 1000000)::decimal(9,0) * 0.000001)::decimal(9,6) as credit,
    case when shared.position is null
         then win.booked
         else (shared.cents::decimal(38,0) * 0.01)::decimal(38,2)
    end as amount,
    win.booked,
    version.currency,
    win.won_at,
    shared.position is not null as is_attributed,
    version.playbook_version
from funnel.win as win
cross join playbook.version as version
cross join (values ('first'), ('last'), ('linear'), ('position'), ('w')) as models (model)
left join shared on shared.opportunity_id = win.opportunity_id and shared.model = models.model
