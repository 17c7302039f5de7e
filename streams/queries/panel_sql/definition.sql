select playbook_version, qualified, answered, accepted, returned, precision_at_acceptance, won, lost, still_open,
    won_before, precision_at_win, wins, wins_qualified, recall, missed_value, unpriced, n, is_enough, currency
from funnel.definition_quality_slice where $slice order by qualified desc, playbook_version
