-- view:   alert_notice
-- grain:  one row per alert incident, receiver and step that the receiver was to be notified of
-- key:    alert_id, receiver, step
-- reads:  resolved.alert_notified
-- says:   whether each receiver got what it was to get about an alert, and if not, why
-- means:  The latest AlertNotified counts, but nothing takes back a delivery.
-- columns:
--   alert_id          the incident
--   receiver          the receiver, as receivers.toml names it
--   step              opened, escalated or ended
--   outcome           delivered, failed (it is tried again), given_up, uncertain (it may have arrived), trying, or
--                     redriven (it is to be tried again)
--   is_undelivered    true when it is not known to be delivered
--   tries             how often it was tried
--   why               what the receiver answered last
--   first_tried_at    when it was first tried
--   last_tried_at     when it was tried last
--   next_try_at       when it is tried again
select
    alert_id,
    receiver,
    step,
    outcome,
    outcome <> 'delivered' as is_undelivered,
    tries,
    why,
    min(occurred_at) over each_notice as first_tried_at,
    occurred_at as last_tried_at,
    case when outcome = 'failed' then next_try_at end as next_try_at
from resolved.alert_notified
window each_notice as (partition by alert_id, receiver, step)
qualify row_number() over (
    partition by alert_id, receiver, step order by outcome = 'delivered' desc, occurred_at desc, event_id desc) = 1
