select from_team, to_team, reason_code, returned, acknowledged, acknowledged_in_time, past_due, median_ack_minutes,
    offered_again, converted_after, n
from funnel.feedback_loop_slice where $slice order by past_due desc, returned desc, from_team, to_team, reason_code limit $most_shown
