with
late as (
    select handoff_id, lead_id, owed_by, owner, sla, due_at, used_minutes, allowed_minutes,
        row_number() over (partition by handoff_id order by due_at, sla) = 1 as is_first
    from funnel.obligation join (select handoff_id, lead_id from funnel.handoff_offer) as offer using (handoff_id)
    where is_past_due and $of_slice
),
cost as (
    select step, arg_min(amount_each, goal_id) as may_cost, any_value(currency) as currency
    from funnel.goal_cascade where period = $current_period group by step
)
select late.* exclude (is_first), may_cost, currency, count(*) over (partition by true) as all_late,
    sum(case when is_first then may_cost end) over (partition by true) as all_may_cost
from late left join cost on step
    = case sla when 'answer' then 'qualified' when 'acknowledge_return' then 'captured' else 'accepted' end
order by due_at, handoff_id, sla limit $most_shown
