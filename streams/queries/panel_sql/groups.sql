select account_id, members, filled_roles, required_roles, assigned_completeness, engaged_completeness, open_deals,
    due_at, state, count(*) over (partition by true) as all_stuck
from funnel.buying_group_account
where (is_past_due or is_at_risk) and open_deals > 0
order by is_past_due desc, due_at, account_id limit $most_shown
