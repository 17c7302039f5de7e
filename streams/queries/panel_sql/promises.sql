select promise_id, account_id, opportunity_id, promise, made_by, made_at, due_on, state,
    count(*) over (partition by true) as all_at_risk
from funnel.promise_ledger where state in ('overdue', 'open') and is_before_win
order by state = 'overdue' desc, due_on nulls last, promise_id limit $most_shown
