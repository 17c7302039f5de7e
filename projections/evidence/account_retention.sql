-- evidence: account_retention
-- says: every onboarding and subscription event of the company until the period's end
select account_id, period, event_type, event_id
from funnel.account_retention
cross join playbook.version
join funnel.subscription_event using (account_id)
where occurred_at < day_begins(period_until(period, fiscal_year_begins), zone)
