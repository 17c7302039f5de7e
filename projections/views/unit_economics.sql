-- view:   unit_economics
-- grain:  one row per quarter with a first win, a booked campaign cost or a team cost
-- key:    period
-- reads:  funnel.win, resolved.campaign_cost_booked, resolved.customer_onboarded, playbook.cost, playbook.rate,
--         playbook.cascade_owner, playbook.version
-- says:   what a new customer of the quarter cost Marketing and Sales together, what they bring a month, and how many
--         months of margin pay that back
-- means:  A new customer is a customer (see deal) whose first win closed in the quarter, unless it had been onboarded before
--         that win for something else: it was a customer already. Cost is of the same quarter: campaign costs by
--         the day they belong to, less refunds, and what the playbook says teams cost (an amount counts in equal parts
--         in the months of its period, and the months in their quarters; the parts add up to the cent), without the team that only keeps customers (owner of the cascade's
--         step retained and of no other). A team's cost counts whole from the quarter's first day. CAC = marketing
--         and sales cost / new customers, fully loaded and without a time lag, the usual form. Amounts of deals
--         are annual contract values here: a month is a twelfth. Payback months = CAC / (monthly revenue x gross
--         margin). Contribution = what the cohort leaves in its first year: booked x gross margin - cost. These are
--         null without a new customer, and those that need a price are null when no new customer has one.
-- columns:
--   period             the quarter, in the playbook's zone
--   is_over            true once the quarter has ended; before, its customers are not complete
--   new_customers      accounts whose first win closed in it
--   marketing_cost     campaign costs booked for its days (decimal)
--   team_cost          what the playbook says the teams cost in it (decimal)
--   has_team_cost      false when the playbook names none for it: cac then holds campaigns only
--   cac                (marketing_cost + team_cost) / new_customers (decimal)
--   booked_revenue     first wins of the quarter (decimal)
--   monthly_revenue    booked_revenue / 12 for each new customer whose amount has a rate (decimal)
--   gross_margin       the playbook's gross margin, 0 to 1 (decimal)
--   payback_months     cac / (monthly_revenue x gross_margin)
--   contribution       booked_revenue x gross_margin - marketing_cost - team_cost (decimal)
--   unpriced           costs and first wins without a rate: they are in no sum
--   currency           the goal's currency, ISO 4217
--   n                  new customers: the cases these numbers rest on
--   is_enough          true when there are as many as the playbook asks for
--   playbook_version   the playbook whose costs, rates and margin these are
with
new_customers as (
    select period, count(*) as new_customers, count(booked) as priced,
        cents(coalesce(sum(exact_booked), 0)) as booked_revenue
    from funnel.win as win
    where is_first and not exists (
        from resolved.customer_onboarded as onboarded
        where onboarded.account_id = win.customer_id and onboarded.occurred_at < win.won_at
            and onboarded.opportunity_id is distinct from win.opportunity_id
    )
    group by period
),
campaign_cost as (
    select quarter_of(booked_on) as period,
        cents(coalesce(sum(converted(amount, rate)), 0)) as marketing_cost,
        count(*) filter (where rate is null) as unpriced_costs
    from resolved.campaign_cost_booked as cost
    left join playbook.rate as exchange on is_rate_of(exchange, cost.currency, booked_on)
    group by all
),
planned_cost as (
    select (cents(converted(cost.amount, rate)) * 100)::hugeint as cents, begins_on,
        date_diff('month', begins_on, period_until(period, fiscal_year_begins)) as months
    from (
        select cost.*, fiscal_year_begins, period_from(period, fiscal_year_begins) as begins_on
        from playbook.cost as cost
        cross join playbook.version
    ) as cost
    join playbook.rate as exchange on is_rate_of(exchange, cost.currency, begins_on)
    where cost.team not in (
        select owner_team from playbook.cascade_owner
        group by owner_team
        having bool_and(step = 'retained')
    )
),
team_cost as (
    select quarter_of((begins_on + to_months(month))::date) as period,
        (sum(cents * (month + 1) // months - cents * month // months)::decimal(38,0) * 0.01)::decimal(38,2) as team_cost
    from planned_cost
    cross join lateral (select unnest(range(months)) as month)
    group by all
),
quarter as (
    select period from new_customers
    union
    select period from campaign_cost
    union
    select period from team_cost, playbook.version where day_begins(period_from(period), zone) <= $as_of
),
quarter_sum as (
    select period, priced, booked_revenue, gross_margin, currency, minimum_n, playbook_version,
        coalesce(new_customers, 0) as new_customers,
        coalesce(marketing_cost, 0)::decimal(38,2) as marketing_cost,
        coalesce(team_cost.team_cost, 0)::decimal(38,2) as team_cost,
        team_cost.team_cost is not null as has_team_cost,
        coalesce(unpriced_costs, 0) + coalesce(new_customers - priced, 0) as unpriced,
        day_begins(period_until(period), zone) <= $as_of as is_over
    from quarter
    left join new_customers using (period)
    left join campaign_cost using (period)
    left join team_cost using (period)
    cross join playbook.version
),
per_customer as (
    select *,
        portion(marketing_cost + team_cost, 1, new_customers) as cac,
        portion(booked_revenue, 1, 12 * priced) as monthly_revenue
    from quarter_sum
)
select
    period,
    is_over,
    new_customers,
    marketing_cost,
    team_cost,
    has_team_cost,
    cac,
    case when priced > 0 then booked_revenue end as booked_revenue,
    monthly_revenue,
    gross_margin,
    cac::double / nullif(monthly_revenue::double * gross_margin::double, 0) as payback_months,
    case when priced > 0
         then cents(booked_revenue * gross_margin) - marketing_cost - team_cost
    end as contribution,
    unpriced,
    currency,
    new_customers as n,
    new_customers >= minimum_n as is_enough,
    playbook_version
from per_customer
order by period
