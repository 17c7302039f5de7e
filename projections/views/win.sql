-- view:   win
-- grain:  one row per opportunity whose last outcome is won
-- key:    opportunity_id
-- reads:  facts.opportunity_won, facts.opportunity_lost, facts.opportunity_opened, funnel.lead_identity,
--         playbook.version, playbook.rate
-- says:   each deal that was won, and the money booked with it in the goal's currency
-- means:  A deal counts as won when its last outcome by (occurred_at, event_id) is OpportunityWon; one that was
--         lost and came back counts once, at the later win. Booked is the amount that win states, whatever was
--         expected before, at the rate the playbook in force names. An amount without a rate keeps its row and
--         its own currency, with booked null. A win whose opening nobody reported is still money: it takes
--         its company and lead from the win.
-- columns:
--   opportunity_id    the deal
--   account_id        the company: the opening's, else the win's
--   lead_id           the lead the opening names, else the one the win names (the surviving one); null without
--   opened_at         when the deal was opened; null when nobody said
--   won_at            when it was won
--   period            the quarter of the win, in the playbook's zone
--   amount            the amount booked, as stated (decimal)
--   currency          currency of that amount, ISO 4217
--   booked            the amount in the goal's currency (decimal); null without a rate
--   is_first          true for the company's first win
--   playbook_version  the playbook whose rate it is
with
ended as (
    select true as is_won, opportunity_id, occurred_at, event_id, account_id, lead_id, amount, currency
    from facts.opportunity_won
    where occurred_at <= $as_of
    union all by name
    select false as is_won, opportunity_id, occurred_at, event_id
    from facts.opportunity_lost
    where occurred_at <= $as_of
),
last_outcome as (
    select *
    from ended
    qualify row_number() over (
        partition by opportunity_id order by occurred_at desc, event_id desc, is_won desc
    ) = 1
),
opened as (
    select opportunity_id, occurred_at, account_id, lead_id
    from facts.opportunity_opened
    where occurred_at <= $as_of
    qualify row_number() over (partition by opportunity_id order by occurred_at, event_id) = 1
),
won as (
    select
        last_outcome.opportunity_id,
        coalesce(opened.account_id, last_outcome.account_id) as account_id,
        coalesce(identity.surviving_lead_id, opened.lead_id, last_outcome.lead_id) as lead_id,
        opened.occurred_at as opened_at,
        last_outcome.occurred_at as won_at,
        last_outcome.amount,
        last_outcome.currency
    from last_outcome
    left join opened using (opportunity_id)
    left join funnel.lead_identity as identity
        on identity.lead_id = coalesce(opened.lead_id, last_outcome.lead_id)
    where is_won
)
select
    won.opportunity_id,
    won.account_id,
    won.lead_id,
    won.opened_at,
    won.won_at,
    quarter_of((won.won_at at time zone version.zone)::date) as period,
    won.amount,
    won.currency,
    converted(won.amount, rate.rate) as booked,
    row_number() over (partition by won.account_id order by won.won_at, won.opportunity_id) = 1 as is_first,
    version.playbook_version
from won
cross join playbook.version as version
left join playbook.rate as rate on rate.currency = won.currency
