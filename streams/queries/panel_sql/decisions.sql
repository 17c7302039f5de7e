select decision_id, decided_at, decision, owner, decided_by, number, due_on, expected_effect,
    count(*) over (partition by true) as all_decisions
from funnel.decision order by decided_at desc, decision_id limit $most_shown
