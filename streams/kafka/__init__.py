"""Everything that speaks to Kafka for the rest: topics, publishing, headers, admin, schema registry."""
