-- evidence: win_rate
-- says: the events of the deals opened in the period, or won or lost in it
select window_unit as unit, window_start as starts_on, event_type, event_id
from evidence.win_rate_slice
where dimension = 'all' and window_unit in ('month', 'quarter', 'year')
