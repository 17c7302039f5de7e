select stage, entered, advanced, lost, returned, elsewhere, still_there, cohort_rate, in_period_rate, open_rate,
    advanced_in_period, buyer_step
from funnel.funnel_stage_slice where $slice order by position
