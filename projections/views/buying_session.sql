-- view:   buying_session
-- grain:  one row per won deal, or credit, and session with its buyer up to the win
-- key:    opportunity_id, session_id
-- stored: opportunity_id
-- reads:  funnel.win, funnel.deal_lead, funnel.buyer_touch, funnel.lead_account, resolved.lead_captured,
--         playbook.version
-- says:   the path to each win: the sessions with the buyer before it, in order, and at which of them the lead and
--         the deal were created
-- means:  On the path are the touches (see buyer_touch) of the customer's company, of the deal's leads, whatever their
--         company is, and of the deal itself. Touches closer together than the playbook's session are one session,
--         however many contacts they have; a session takes team, channel and campaign from its first touch. It is
--         counted up to the win, and nothing after the win is in the path. Every win looks back over all sessions of
--         its customer, also those before an earlier win, without a limit of days. The lead was created by the first
--         LeadCaptured of the company or of the deal's leads, the deal by its opening: each in the latest session
--         begun by then. Where no session had begun by then, or the moment is unknown, the first session stands for
--         it.
-- columns:
--   opportunity_id    the won deal
--   session_id        event id of the session's first touch
--   account_id        the company; null when no event names one
--   position          place of the session on the path, from 1
--   sessions          sessions on the path
--   lead_position     place of the session in which the lead was created
--   deal_position     place of the session in which the deal was created
--   touched_at        when the session began
--   event_type        the event it began with
--   team              team of its first touch
--   channel           channel of its first touch; call for a CallHeld
--   campaign_id       campaign of its first touch, where it names one
--   touches           touches of the session up to the win
--   playbook_version  the playbook whose session length it is
with
win as materialized (
    select opportunity_id, account_id, customer_id, opened_at, won_at from funnel.win
),
lead_account as materialized (
    select lead_id, account_id from funnel.lead_account
),
win_lead as materialized (
    select opportunity_id, lead_id from funnel.deal_lead join win using (opportunity_id)
),
buyer_touch as materialized (
    from funnel.buyer_touch
),
path_touch as (
    select win.opportunity_id, touch.* exclude (opportunity_id)
    from win
    join buyer_touch as touch on touch.account_id = win.customer_id
    union
    select win_lead.opportunity_id, touch.* exclude (opportunity_id)
    from win_lead
    join buyer_touch as touch using (lead_id)
    union
    select win.opportunity_id, touch.* exclude (opportunity_id)
    from win
    join buyer_touch as touch using (opportunity_id)
),
touch_of_session as (
    select *, count(*) filter (where is_first) over in_order as session
    from (
        select touch.*, win.account_id as customer_account_id, opened_at, playbook_version,
            coalesce(
                epoch_us(occurred_at) - lag(epoch_us(occurred_at)) over in_order >= session_us, true
            ) as is_first
        from path_touch as touch
        join win using (opportunity_id)
        cross join playbook.version
        where occurred_at <= won_at
        window in_order as (partition by opportunity_id order by occurred_at, event_id, event_type)
    )
    window in_order as (
        partition by opportunity_id order by occurred_at, event_id, event_type
        rows between unbounded preceding and current row
    )
),
session as (
    select opportunity_id, customer_account_id as account_id, opened_at, session, playbook_version,
        count(*) as touches,
        min(occurred_at) as touched_at,
        min(event_id) filter (where is_first) as session_id,
        min(event_type) filter (where is_first) as event_type,
        min(team) filter (where is_first) as team,
        min(channel) filter (where is_first) as channel,
        min(campaign_id) filter (where is_first) as campaign_id
    from touch_of_session
    group by all
),
-- Leads of the company, and leads of the deal.
captured as (
    select opportunity_id, min(captured.occurred_at) as captured_at
    from (
        select opportunity_id, lead_id from win join lead_account on lead_account.account_id = win.customer_id
        union
        from win_lead
    )
    join resolved.lead_captured as captured using (lead_id)
    group by opportunity_id
)
select
    opportunity_id,
    session_id,
    account_id,
    row_number() over (partition by opportunity_id order by session) as position,
    count(*) over path as sessions,
    greatest(1, count(*) filter (where touched_at <= captured_at) over path) as lead_position,
    greatest(1, count(*) filter (where touched_at <= opened_at) over path) as deal_position,
    touched_at,
    event_type,
    team,
    channel,
    campaign_id,
    touches,
    playbook_version
from session
left join captured using (opportunity_id)
window path as (partition by opportunity_id)
