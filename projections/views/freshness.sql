-- view:   freshness
-- grain:  one row per source and event type
-- key:    source, event_type
-- reads:  resolved.event, warehouse.log_loss
-- says:   how recent the events of each system are, and how late they arrived
-- means:  Of an event that is known by its day there are no minutes: it counts, and has no delay.
--         A log that lost events for good stays marked, whatever the as-of: baton status says which offsets.
-- columns:
--   source                 the system
--   event_type             what it reports
--   events                 distinct events that have happened and been recorded by as-of
--   last_occurred_at       event time of its newest event
--   last_recorded_at       when Baton last accepted one
--   minutes_since_last     minutes from then to as-of
--   median_delay_minutes   median minutes from event time to recorded time
--   p95_delay_minutes      95th percentile of the same
--   log_lost_at            when Kafka was found to have lost events of its topic; null: none is known to be missing
select
    source,
    event_type,
    count(*) as events,
    least(max(occurred_at), $as_of) as last_occurred_at,
    max(recorded_at) as last_recorded_at,
    (epoch_us($as_of) - epoch_us(max(recorded_at))) / 60000000.0::double as minutes_since_last,
    quantile_cont(delay_minutes, 0.5) as median_delay_minutes,
    quantile_cont(delay_minutes, 0.95) as p95_delay_minutes,
    (select max(lost_at) from warehouse.log_loss where log_loss.event_type = heard.event_type) as log_lost_at
from (
    select *, case when not is_day_only
        then (epoch_us(recorded_at) - epoch_us(occurred_at)) / 60000000.0::double end as delay_minutes
    from resolved.event
    where recorded_at <= $as_of
) as heard
group by source, event_type
