-- view:   buyer_touch
-- grain:  one row per touch between a team and a buyer that a human made
-- key:    event_type, event_id
-- reads:  resolved.touch_recorded, resolved.buyer_reached, resolved.call_held, funnel.deal,
--         funnel.lead_account, funnel.lead_offer_period
-- says:   every touch that can earn credit for a win: whose account it belongs to, and which team made it
-- means:  A touch is a TouchRecorded that no machine made, a BuyerReached or a CallHeld. It belongs to the account
--         it names, else to its lead's (see lead_account), else to its deal's. A BuyerReached is of
--         the team its handoff was offered to: the handoff it names, else the lead's latest offer by then, else
--         sales. A CallHeld is of sales, whether or not Marketing was present.
-- columns:
--   event_type      TouchRecorded, BuyerReached or CallHeld
--   event_id        the event
--   occurred_at     when it happened
--   account_id      the company it belongs to; null when no event links it to one
--   lead_id         the lead it names; of merged ones the one that survives
--   opportunity_id  the deal it names
--   team            the team that made it
--   channel         its channel; call for a CallHeld
--   campaign_id     the campaign it names
with
offer as materialized (
    select lead_id, handoff_id, to_team, offered_at, until_at from funnel.lead_offer_period
),
reached as (
    select reached.event_id, reached.occurred_at, reached.lead_id, reached.channel,
        coalesce(named.to_team, latest.to_team, 'sales') as team
    from resolved.buyer_reached as reached
    left join offer as named using (handoff_id)
    left join offer as latest
        on latest.lead_id = reached.lead_id and reached.occurred_at >= latest.offered_at
        and (latest.until_at is null or reached.occurred_at < latest.until_at)
),
touch as (
    select 'TouchRecorded' as event_type, event_id, occurred_at, account_id, lead_id, null as opportunity_id,
        team, channel, campaign_id
    from resolved.touch_recorded
    where not is_automated
    union all by name
    select 'BuyerReached' as event_type, event_id, occurred_at, lead_id, team, channel
    from reached
    union all by name
    select 'CallHeld' as event_type, event_id, occurred_at, account_id, lead_id, opportunity_id, 'sales' as team,
        'call' as channel
    from resolved.call_held
)
select
    touch.event_type,
    touch.event_id,
    touch.occurred_at,
    coalesce(touch.account_id, lead_account.account_id, deal.account_id) as account_id,
    touch.lead_id,
    touch.opportunity_id,
    touch.team,
    touch.channel,
    touch.campaign_id
from touch
left join funnel.lead_account as lead_account using (lead_id)
left join funnel.deal as deal using (opportunity_id)
