-- view:   attribution
-- grain:  one row per won deal, or credit, model and session with its buyer up to the win
-- key:    opportunity_id, model, session_id
-- stored: opportunity_id
-- reads:  funnel.win, funnel.buying_session, playbook.version
-- says:   what brought the money: each win is divided, to the cent, among the sessions with the buyer before
--         it, by five models side by side
-- means:  Sessions are those of buying_session; a session counts once, however many touches and contacts it has, and
--         nothing earns credit after the win. Two deals of one account may credit the same session, each with
--         its own money: each conversion has a path of its own, as in Snowplow's dbt package. Models: first and
--         last give all credit to one session; linear the same to each; position 40 % to the first, 40 % to the
--         last, 20 % shared by those between (one session 100 %, two 50 % each); w 30 % to the first, 30 % to the
--         session in which the lead was created, 30 % to the one in which the deal was created, 10 % shared by
--         the rest. Shares that fall on the same session add up; when there is no rest, its 10 % go to the three
--         in proportion. Shares are kept in millionths and amounts in cents, rounded towards zero; what rounding leaves
--         goes to the last session, so both add up exactly. A credit, a win with a negative amount, takes money
--         back along its own path and is not counted as a conversion.
-- columns:
--   opportunity_id    the won deal
--   account_id        its company; null when no event names one
--   model             first, last, linear, position or w
--   session_id        event id of the session's first touch; 'unattributed' for a win without any touch
--   position          place of the session before the win, from 1; null when unattributed
--   touched_at        when the session began
--   event_type        the event it began with
--   team              team of its first touch; null when unattributed
--   channel           channel of its first touch; call for a CallHeld
--   campaign_id       campaign of its first touch, where it names one
--   touches           touches of the session up to the win
--   credit            share of the win, 0 to 1 (decimal); the credits of one win and model sum to exactly 1
--   amount            that share of the booked amount (decimal); the amounts of one win and model sum to booked;
--                     null when the win is unpriced
--   booked            the amount booked with the win, in the goal's currency (decimal); null when it is unknown or has no rate
--   currency          the goal's currency, ISO 4217
--   won_at            when the deal was won
--   is_attributed     false for a win without any touch
--   is_credit         true for a credit
--   playbook_version  the playbook whose session length and rate these are
with
-- A win without any touch has one row, which takes everything.
session as (
    select win.opportunity_id, win.account_id, win.won_at, win.booked, win.is_credit,
        session_id is not null as is_attributed,
        coalesce(session_id, 'unattributed') as session_id,
        touched_at, event_type, team, channel, campaign_id,
        coalesce(touches, 0) as touches,
        coalesce(position, 1) as position,
        coalesce(sessions, 1) as sessions,
        coalesce(lead_position, 1) as lead_position,
        coalesce(deal_position, 1) as deal_position
    from funnel.win as win
    left join funnel.buying_session using (opportunity_id)
),
-- Model w has three milestones: the first session, the lead's and the deal's. One session may be several of them.
milestone as (
    select *,
        (position = 1)::integer + (position = lead_position)::integer + (position = deal_position)::integer
            as milestones,
        sessions - len(list_distinct([1, lead_position, deal_position])) as rest
    from session
),
-- In millionths of the win, rounded down.
weighted as (
    select milestone.*, model, (booked * 100)::hugeint as booked_cents,
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
                    when rest = 0 then 1000000 * milestones // 3
                    when milestones > 0 then 300000 * milestones
                    else 100000 // rest
                end
        end as millionths,
        booked_cents * millionths // 1000000 as cents
    from milestone
    cross join (values ('first'), ('last'), ('linear'), ('position'), ('w')) as models (model)
),
-- What rounding leaves goes to the last session.
credited as (
    select * replace (
        millionths + case when position = sessions then 1000000 - sum(millionths) over win else 0 end as millionths,
        cents + case when position = sessions then booked_cents - sum(cents) over win else 0 end as cents
    )
    from weighted
    window win as (partition by opportunity_id, model)
)
select
    opportunity_id,
    account_id,
    model,
    session_id,
    case when is_attributed then position end as position,
    touched_at,
    event_type,
    team,
    channel,
    campaign_id,
    touches,
    (millionths::decimal(9,0) * 0.000001)::decimal(9,6) as credit,
    (cents::decimal(38,0) * 0.01)::decimal(38,2) as amount,
    booked,
    currency,
    won_at,
    is_attributed,
    is_credit,
    playbook_version
from credited
cross join playbook.version
