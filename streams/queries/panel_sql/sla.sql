select sla, owed_by, owed, met, missed, open, lapsed, moot, past_due, clock_suspect, kept_share
from funnel.sla_kept where $slice order by owed_by, sla
