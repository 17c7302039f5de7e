-- view:   failed_events
-- grain:  one row per Kafka record that could not become a fact
-- key:    topic, kafka_partition, kafka_offset
-- reads:  warehouse.failed_event
-- says:   which records could not be read, where they lie, why, and their bytes; nothing is lost
-- columns:
--   topic            its Kafka topic
--   kafka_partition  partition
--   kafka_offset     offset
--   kafka_at         the record's Kafka timestamp
--   stage            frame, schema, decode, route or validate: where it stopped; import: a row of a file
--   reason           why
--   event_type       what it claims to be, when that much could be read
--   key              the record's key, as bytes
--   value            the record's value, as bytes
--   bytes            size of the value
select
    topic,
    kafka_partition,
    kafka_offset,
    kafka_at,
    stage,
    reason,
    event_type,
    key,
    value,
    octet_length(value) as bytes
from warehouse.failed_event
